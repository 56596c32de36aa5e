/**
 * The one room where regular expressions that meet traffic are compiled. A pattern runs in V8 only where its
 * structure shows that it takes time linear in the text; every other runs in re2js, which is linear by
 * construction; a pattern that needs look-around or back-references is refused.
 */
import { createRequire } from 'node:module';
import { isLinearInV8 } from './analyse.ts';
import { requiredLiteral } from './literal.ts';
import { parseRegex } from './parse.ts';
import { printRegex } from './print.ts';
import { shorten } from './shorten.ts';
import { type Node, RegexError } from './syntax.ts';

export { RegexError } from './syntax.ts';

export interface CompiledRegex {
  /** Whether the pattern is found anywhere in `text`. */
  test(text: string): boolean;
  readonly engine: 'v8' | 're2js';
}

/**
 * Compiles a pattern of ECMA-262 (its `u` mode; `\` may precede any ASCII punctuation). `flags`: `i`, `s`;
 * `u` is implied. Throws RegexError for what cannot be read or cannot be run in bounded time.
 */
export function compileRegex(pattern: string, flags = ''): CompiledRegex {
  const node = shorten(parseRegex(pattern, flags));
  return isLinearInV8(node) ? compileV8(node, pattern) : compileRe2(node, pattern);
}

function compileV8(node: Node, pattern: string): CompiledRegex {
  const regex = engine(pattern, () => new RegExp(printRegex(node, 'v8', pattern), 'u'));
  return { test: (text) => regex.test(text), engine: 'v8' };
}

function compileRe2(node: Node, pattern: string): CompiledRegex {
  // Loaded when first needed: most documents never need it, and start-up time is promised.
  const { RE2JS }: typeof import('re2js') = createRequire(import.meta.url)('re2js');
  const regex = engine(pattern, () => RE2JS.compile(printRegex(node, 're2', pattern)));
  const literal = requiredLiteral(node);
  if (literal === '') return { test: (text) => regex.test(text), engine: 're2js' };
  return { test: (text) => text.includes(literal) && regex.test(text), engine: 're2js' };
}

/** An engine that will not take the pattern (too large a program) is the pattern's fault. */
function engine<T>(pattern: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (error instanceof RegexError) throw error;
    throw new RegexError(
      pattern,
      `no engine takes the pattern (${error instanceof Error ? error.message : 'unknown'})`,
    );
  }
}
