import type { ASTNode } from '@marcbachmann/cel-js';
import { ExpressionError } from './expression-error.ts';

/** Two loops inside each other walk a claim's list times itself; a third would hold the worker. */
const MAX_LOOP_DEPTH = 2;
/** What multiplies work or text per level: the loops, and `cel.bind`, which can double a text each time. */
const LOOPS: ReadonlySet<string> = new Set(['map', 'filter', 'all', 'exists', 'exists_one', 'bind']);

/**
 * Makes a syntax tree safe to run, in place, before it is checked: every `matches` becomes `safeMatches`, and
 * its pattern must be written out, so that it is compiled once and by us. Returns the patterns. Throws
 * ExpressionError for what may not be said. `inspect` is shown every node.
 */
export function secureTree(root: ASTNode, safeMatches: string, inspect: (node: ASTNode) => void): string[] {
  const patterns: string[] = [];
  const pending: { node: ASTNode; depth: number }[] = [{ node: root, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node } = next;
    let { depth } = next;
    inspect(node);
    if (node.op === 'rcall') {
      if (LOOPS.has(node.args[0]) && ++depth > MAX_LOOP_DEPTH) {
        throw new ExpressionError(node.input, `loops may be nested ${MAX_LOOP_DEPTH} deep`);
      }
      const pattern = matchesPattern(node, safeMatches);
      if (pattern !== undefined) patterns.push(pattern);
    }
    for (const child of children(node.args)) pending.push({ node: child, depth });
  }
  return patterns;
}

function matchesPattern(node: ASTNode & { op: 'rcall' }, safeMatches: string): string | undefined {
  if (node.args[0] === safeMatches) throw new ExpressionError(node.input, `unknown function ${safeMatches}`);
  if (node.args[0] !== 'matches') return undefined;
  const [pattern] = node.args[2];
  if (pattern?.op !== 'value' || typeof pattern.args !== 'string') {
    throw new ExpressionError(node.input, 'matches needs its pattern written out as text');
  }
  node.args[0] = safeMatches;
  return pattern.args;
}

/** Every node among a node's arguments, however deep the lists. */
function children(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(children);
  return isNode(args) ? [args] : [];
}

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
