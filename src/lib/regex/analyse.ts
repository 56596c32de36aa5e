/**
 * Whether a backtracking engine runs a pattern in time linear in the text, shown from its structure.
 * "No" means only "not shown". Two proofs are known:
 *
 * 1. Deterministic: at every choice the next character allows one way only (strongly one-unambiguous,
 *    Brüggemann-Klein 1998), so that each backtrack dies at once; and the search does not start over inside
 *    a run it has already walked.
 * 2. Small: without unbounded loops, and with few ways through.
 */
import { type CodePointSet, EMPTY, intersects, union } from './code-point-set.ts';
import type { Node } from './syntax.ts';

/** A repeat that can take more characters than this counts as unbounded. */
const LONG_REPEAT = 32;
/** Most characters that the bounded part of a searched pattern may take: the factor on the text's length. */
const MAX_BOUNDED_WIDTH = 64;
/** Most steps from one starting place for the second proof. */
const MAX_STEPS = 128;

export function isLinearInV8(node: Node): boolean {
  if (waysThrough(node) * maxWidth(node) <= MAX_STEPS) return true;
  const shape = shapeOf(node);
  if (!shape.deterministic) return false;
  if (isAnchored(node)) return true;
  const loops = union(...loopSets(node));
  return !intersects(shape.first, loops) && !shape.nullable && boundedWidth(node) <= MAX_BOUNDED_WIDTH;
}

interface Shape {
  readonly nullable: boolean;
  /** What a match may begin with. */
  readonly first: CodePointSet;
  /** What may make a complete match longer. */
  readonly more: CodePointSet;
  readonly deterministic: boolean;
}

const NOTHING: Shape = { nullable: true, first: EMPTY, more: EMPTY, deterministic: true };

function shapeOf(node: Node): Shape {
  switch (node.kind) {
    case 'set':
      return { nullable: false, first: node.set, more: EMPTY, deterministic: true };
    case 'assert':
      return NOTHING;
    case 'sequence':
      return node.items.map(shapeOf).reduce(follow, NOTHING);
    case 'choice':
      return choose(node.options.map(shapeOf));
    case 'repeat':
      return repeat(shapeOf(node.body), node.min, node.max);
  }
}

function follow(left: Shape, right: Shape): Shape {
  return {
    nullable: left.nullable && right.nullable,
    first: left.nullable ? union(left.first, right.first) : left.first,
    more: right.nullable ? union(left.more, right.first, right.more) : right.more,
    deterministic: left.deterministic && right.deterministic && !intersects(left.more, right.first),
  };
}

function choose(options: readonly Shape[]): Shape {
  let first: CodePointSet = EMPTY;
  let deterministic = options.filter((o) => o.nullable).length <= 1;
  for (const option of options) {
    deterministic &&= option.deterministic && !intersects(first, option.first);
    first = union(first, option.first);
  }
  const nullable = options.some((o) => o.nullable);
  const more = union(...options.map((o) => o.more));
  return { nullable, first, more: nullable ? union(more, first) : more, deterministic };
}

function repeat(body: Shape, min: number, max: number): Shape {
  if (max === 0) return NOTHING;
  const again = max > 1 && intersects(body.more, body.first);
  const skippable = min === 0 || body.nullable;
  return {
    nullable: skippable,
    first: body.first,
    more: skippable || max > min ? union(body.more, body.first) : body.more,
    // An optional thing that is itself empty can be passed in two ways.
    deterministic: body.deterministic && !again && !body.nullable,
  };
}

function isAnchored(node: Node): boolean {
  switch (node.kind) {
    case 'assert':
      return node.at === 'start';
    case 'sequence':
      return node.items.length > 0 && isAnchored(node.items[0]);
    case 'choice':
      return node.options.every(isAnchored);
    case 'repeat':
      return node.min > 0 && isAnchored(node.body);
    case 'set':
      return false;
  }
}

/** An upper bound of the ways a backtracking engine can go from one place; infinite for unbounded loops. */
function waysThrough(node: Node): number {
  switch (node.kind) {
    case 'sequence':
      return node.items.reduce((ways, item) => ways * waysThrough(item), 1);
    case 'choice':
      return node.options.reduce((ways, option) => ways + waysThrough(option), 0);
    case 'repeat':
      return waysRepeated(waysThrough(node.body), node.min, node.max);
    default:
      return 1;
  }
}

function waysRepeated(ways: number, min: number, max: number): number {
  if (max > MAX_STEPS) return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let round = min; round <= max; round++) sum += ways ** round;
  return sum;
}

/** Most characters a match takes. Assertions and empty things count one: they cost a step. */
function maxWidth(node: Node): number {
  switch (node.kind) {
    case 'sequence':
      return node.items.reduce((width, item) => width + maxWidth(item), 1);
    case 'choice':
      return Math.max(...node.options.map(maxWidth));
    case 'repeat':
      return node.max === 0 ? 1 : maxWidth(node.body) * node.max;
    default:
      return 1;
  }
}

const isLoop = (node: Node & { kind: 'repeat' }): boolean => node.max > 1 && maxWidth(node) > LONG_REPEAT;

/** What is inside loops that can run long. */
function loopSets(node: Node): CodePointSet[] {
  switch (node.kind) {
    case 'sequence':
      return node.items.flatMap(loopSets);
    case 'choice':
      return node.options.flatMap(loopSets);
    case 'repeat':
      return isLoop(node) ? allSets(node.body) : loopSets(node.body);
    default:
      return [];
  }
}

function allSets(node: Node): CodePointSet[] {
  switch (node.kind) {
    case 'sequence':
      return node.items.flatMap(allSets);
    case 'choice':
      return node.options.flatMap(allSets);
    case 'repeat':
      return allSets(node.body);
    case 'set':
      return [node.set];
    default:
      return [];
  }
}

/** Most characters taken outside long loops. */
function boundedWidth(node: Node): number {
  switch (node.kind) {
    case 'sequence':
      return node.items.reduce((width, item) => width + boundedWidth(item), 0);
    case 'choice':
      return Math.max(...node.options.map(boundedWidth));
    case 'repeat':
      return isLoop(node) ? 0 : boundedWidth(node.body) * node.max;
    case 'set':
      return 1;
    default:
      return 0;
  }
}
