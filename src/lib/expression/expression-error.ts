/** An expression that cannot be read, has the wrong type, or could run too long. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly source: string;
  /** What was probably meant, e.g. `did you mean "method"?`. */
  readonly suggestion: string | undefined;

  constructor(source: string, problem: string, suggestion?: string) {
    super(problem);
    this.source = source;
    this.suggestion = suggestion;
  }
}
