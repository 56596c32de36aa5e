/**
 * Expressions in the Common Expression Language, checked for types when compiled and bounded in time when
 * run: patterns go through `lib/regex`, and loops may be nested only so deep.
 */
import { createRequire } from 'node:module';
import type { Environment } from '@marcbachmann/cel-js';
import { type CompiledRegex, compileRegex, RegexError } from '../regex/index.ts';
import { ExpressionError } from './expression-error.ts';
import { secureTree } from './secure-tree.ts';

export { ExpressionError } from './expression-error.ts';

/** CEL types by name: `string`, `int`, `list<string>`, `map<string, dyn>` or one of the `types`. */
type FieldTypes = Readonly<Record<string, string>>;

export interface Declarations {
  /** Variables the expression may name. */
  readonly variables: FieldTypes;
  /** Object types: instances of `ctor`, whose fields may be getters (asked only where the expression asks). */
  readonly types?: Readonly<
    Record<string, { readonly ctor: new (value: never) => object; readonly fields: FieldTypes }>
  >;
  /** The type the expression must have; default any. A `dyn` passes and is for the caller to check. */
  readonly returns?: string;
}

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
    const run = environment(declared, patterns).parse(source);
    for (const pattern of secureTree(run.ast, SAFE_MATCHES)) patterns.set(pattern, compileRegex(pattern));
    const checked = run.check();
    if (!checked.valid) throw new ExpressionError(source, firstLine(checked.error));
    mustReturn(source, checked.type, declared.returns);
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

function mustReturn(source: string, type: string | undefined, wanted: string | undefined): void {
  if (wanted === undefined || type === wanted || type === 'dyn') return;
  throw new ExpressionError(source, `the expression gives ${type ?? 'nothing'}, and ${wanted} is needed`);
}

/** The library's messages go on with a drawing of the place; the first line says it. */
function firstLine(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0] : 'the expression cannot be read';
}
