import type { Node } from './syntax.ts';

/**
 * Without what cannot change whether there is a match: loops at the very end need only their least number of
 * rounds. `[a-z]+` is found with its first letter. What is
 * analysed, what V8 runs and what re2js runs is the shortened pattern: a loop left out can blow up nowhere.
 */
export function shorten(node: Node): Node {
  switch (node.kind) {
    case 'repeat':
      return { ...node, body: node.min === 1 ? shorten(node.body) : node.body, max: node.min };
    case 'choice':
      return { kind: 'choice', options: node.options.map(shorten) };
    case 'sequence': {
      const last = node.items.at(-1);
      return last === undefined
        ? node
        : { kind: 'sequence', items: [...node.items.slice(0, -1), shorten(last)] };
    }
    default:
      return node;
  }
}
