import type { CodePointSet } from './code-point-set.ts';

/** A pattern read into what it matches. Groups are gone (nothing captures), case and classes are sets. */
export type Node =
  | { readonly kind: 'set'; readonly set: CodePointSet }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly body: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'assert'; readonly at: 'start' | 'end' | 'word' | 'not-word' };

/** A pattern that cannot be read, or that no engine here can run in bounded time. */
export class RegexError extends Error {
  override readonly name = 'RegexError';
  readonly pattern: string;

  constructor(pattern: string, problem: string) {
    super(problem);
    this.pattern = pattern;
  }
}
