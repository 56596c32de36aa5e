import type { Node } from './syntax.ts';

/** Shorter literals are in most texts anyway and spare nothing. */
const MIN_LENGTH = 2;

/**
 * The longest run of fixed characters that every match contains, or '' where there is none worth looking for:
 * a text without it is done with after one `includes`.
 */
export function requiredLiteral(node: Node): string {
  let best = '';
  let run = '';
  for (const item of flatten(node)) {
    run = item.kind === 'set' && isOne(item.set) ? run + String.fromCodePoint(item.set[0]) : '';
    if (run.length > best.length) best = run;
  }
  return best.length < MIN_LENGTH ? '' : best;
}

const isOne = (set: readonly number[]): boolean => set.length === 2 && set[0] === set[1];

const flatten = (node: Node): readonly Node[] =>
  node.kind === 'sequence' ? node.items.flatMap(flatten) : [node];
