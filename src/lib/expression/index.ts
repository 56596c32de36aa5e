/**
 * Expressions in the Common Expression Language, checked for types when compiled and bounded in time when
 * run: patterns go through `lib/regex`, and loops may be nested only so deep.
 */
import { createRequire } from 'node:module';
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { type CompiledRegex, compileRegex, RegexError } from '../regex/index.ts';
import type { Declarations } from './declarations.ts';
import { ExpressionError } from './expression-error.ts';
import { checkPresence } from './presence.ts';
import { secureTree } from './secure-tree.ts';
import { suggestionFor } from './suggestion.ts';

export type { Declarations } from './declarations.ts';
export { ExpressionError } from './expression-error.ts';

/** Most parts of an expression, and how deep they nest: far above what is readable, far below what is slow. */
const LIMITS = {
  maxAstNodes: 1000,
  maxDepth: 40,
  maxListElements: 200,
  maxMapEntries: 200,
  maxCallArguments: 8,
};
/** The name that `matches` gets in the tree: the library's own backtracks (6.4 s on 28 characters). */
const SAFE_MATCHES = 'matchesInBoundedTime';

/**
 * Compiles an expression. The result takes an object with the declared variables (getters are fine) and
 * returns the value; it throws for what cannot be decided, e.g. a key that is not there. Throws
 * ExpressionError for a wrong expression. JSON numbers are doubles: `n == 1` works, `n + 1` does not.
 */
export function compileExpression(source: string, declared: Declarations): (variables: object) => unknown {
  const patterns = new Map<string, CompiledRegex>();
  try {
    const env = environment(declared, patterns);
    const run = env.parse(source);
    const inspect = (node: ASTNode): void => checkPresence(node, declared);
    for (const pattern of secureTree(run.ast, SAFE_MATCHES, inspect))
      patterns.set(pattern, compileRegex(pattern));
    const { error, type } = run.check();
    if (error !== undefined) {
      const suggestion = suggestionFor(error, declared, () => functionNames(env));
      throw new ExpressionError(source, firstLine(error), suggestion);
    }
    mustReturn(source, type, declared.returns);
    return run;
  } catch (error) {
    if (error instanceof ExpressionError) throw error;
    if (error instanceof RegexError) throw new ExpressionError(source, `matches: ${error.message}`);
    throw new ExpressionError(source, firstLine(error));
  }
}

function environment(declared: Declarations, patterns: ReadonlyMap<string, CompiledRegex>): Environment {
  // Loaded when first needed: a document without expressions does not pay for the library.
  const cel: typeof import('@marcbachmann/cel-js') = createRequire(import.meta.url)('@marcbachmann/cel-js');
  const env = new cel.Environment({ limits: LIMITS });
  for (const [name, type] of Object.entries(declared.types ?? {})) env.registerType(name, { ...type });
  for (const [name, type] of Object.entries(declared.variables)) env.registerVariable(name, type);
  env.registerFunction(`string.${SAFE_MATCHES}(string): bool`, (text: string, pattern: string) => {
    const regex = patterns.get(pattern);
    if (regex === undefined) throw new Error('a pattern was not compiled');
    return regex.test(text);
  });
  return env;
}

const functionNames = (env: Environment): string[] =>
  env.getDefinitions().functions.flatMap(({ name }) => (name === SAFE_MATCHES ? [] : name));

function mustReturn(source: string, type: string | undefined, wanted: string | undefined): void {
  if (wanted === undefined || type === wanted || type === 'dyn') return;
  throw new ExpressionError(source, `the expression gives ${type ?? 'nothing'}, and ${wanted} is needed`);
}

/** The library's messages go on with a drawing of the place; the first line says it. */
function firstLine(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0] : 'the expression cannot be read';
}
