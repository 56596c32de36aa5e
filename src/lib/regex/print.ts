import { escapeRe2, escapeV8, printSet } from './code-point-set.ts';
import { type Node, RegexError } from './syntax.ts';

export type Dialect = 'v8' | 're2';

/** The most rounds of a counted repeat that RE2 takes, nested ones multiplied. */
const RE2_MAX_REPEAT = 1000;
/** No code point at all: RE2 has no empty class. */
const RE2_NEVER = '[^\\x{0}-\\x{10ffff}]';

/** The pattern in an engine's own words; both mean the same code points. Throws RegexError where RE2 cannot. */
export function printRegex(node: Node, dialect: Dialect, source: string): string {
  if (dialect === 're2' && deepestRepeat(node) > RE2_MAX_REPEAT) {
    throw new RegexError(source, `a pattern of this shape may repeat a part at most ${RE2_MAX_REPEAT} times`);
  }
  return print(node, dialect);
}

/**
 * V8 14.6 (Node 26.10) finds nothing for `[^a]$` in a text that ends with a code point beyond U+FFFF: so its end is
 * written as "nothing follows", which it finds, and as fast.
 */
const V8_END = '(?![^])';

const ASSERTIONS = {
  v8: { start: '^', end: V8_END, word: '\\b', 'not-word': '\\B' },
  re2: { start: '\\A', end: '\\z', word: '\\b', 'not-word': '\\B' },
};

function print(node: Node, dialect: Dialect): string {
  switch (node.kind) {
    case 'assert':
      return ASSERTIONS[dialect][node.at];
    case 'set':
      if (node.set.length === 0) return dialect === 're2' ? RE2_NEVER : '[]';
      return printSet(node.set, dialect === 're2' ? escapeRe2 : escapeV8);
    case 'sequence':
      return node.items.map((item) => print(item, dialect)).join('');
    case 'choice':
      return `(?:${node.options.map((option) => print(option, dialect)).join('|')})`;
    case 'repeat':
      return `(?:${print(node.body, dialect)})${bounds(node.min, node.max)}`;
  }
}

function bounds(min: number, max: number): string {
  if (max !== Number.POSITIVE_INFINITY) return `{${min},${max}}`;
  if (min === 0) return '*';
  return min === 1 ? '+' : `{${min},}`;
}

function deepestRepeat(node: Node): number {
  switch (node.kind) {
    case 'sequence':
      return Math.max(0, ...node.items.map(deepestRepeat));
    case 'choice':
      return Math.max(0, ...node.options.map(deepestRepeat));
    case 'repeat': {
      const rounds = node.max === Number.POSITIVE_INFINITY ? node.min : node.max;
      return Math.max(1, rounds) * Math.max(1, deepestRepeat(node.body));
    }
    default:
      return 0;
  }
}
