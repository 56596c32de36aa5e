/** An expression that cannot be read, has the wrong type, or could run too long. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly source: string;

  constructor(source: string, problem: string) {
    super(problem);
    this.source = source;
  }
}
