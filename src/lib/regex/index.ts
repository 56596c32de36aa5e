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
import { programSize } from './program-size.ts';
import { shorten } from './shorten.ts';
import { type Node, RegexError } from './syntax.ts';

export { RegexError } from './syntax.ts';

/** States a pattern may have in re2js. */
const MAX_PROGRAM = 5_000;
/** States times characters that one test may take in re2js: up to 0.3 s where every state stays alive, mostly far less. */
const MAX_STEPS = 20_000_000;

export interface CompiledRegex {
  /** Whether the pattern is found anywhere in `text`. Throws RegexError where that would take too long. */
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
  const size = programSize(node);
  if (size > MAX_PROGRAM) {
    throw new RegexError(pattern, 'the pattern is too large: its repeats written out take too many states');
  }
  const literal = requiredLiteral(node);
  const maxLength = Math.floor(MAX_STEPS / size);
  const test = (text: string): boolean => {
    if (!text.includes(literal)) return false;
    // Neither a match nor none: who asked must refuse.
    if (text.length > maxLength) throw new RegexError(pattern, 'the text is too long for this pattern');
    return regex.test(text);
  };
  return { test, engine: 're2js' };
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
