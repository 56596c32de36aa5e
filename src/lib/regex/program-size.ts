import type { Node } from './syntax.ts';

/**
 * About how many states a linear engine keeps for the pattern, counted repeats written out. For each character it
 * may have to look at all of them.
 */
export function programSize(node: Node): number {
  switch (node.kind) {
    case 'sequence':
      return sum(node.items);
    case 'choice':
      return sum(node.options) + node.options.length;
    case 'repeat': {
      const rounds = node.max === Number.POSITIVE_INFINITY ? node.min + 1 : node.max;
      return rounds * (programSize(node.body) + 1);
    }
    default:
      return 1;
  }
}

const sum = (nodes: readonly Node[]): number => nodes.reduce((size, node) => size + programSize(node), 0);
