import { type PolicyContext, PRIORITIES, type Priority } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { compileTextExpression } from '../evaluator/index.ts';
import { Type } from '../lib/schema.ts';
import { didYouMean } from '../lib/suggest.ts';
import { expressionAt } from './expression-at.ts';

/** How a document says how much a request matters among those that compete with it. */
export const prioritySchema = (description: string) =>
  Type.String({
    description,
    minLength: 1,
    maxLength: 2000,
    examples: ['"partners" in groups ? "high" : "normal"', 'high'],
  });

/** How much one request matters. */
export type RequestPriority = (c: PolicyContext) => Priority;

/**
 * One of the priorities, or a CEL expression that gives one. Left out, undecidable or another text: the route's. `path`
 * is where it stands in the config. Throws ConfigError for an expression that is wrong.
 */
export function requestPriority(option: string | undefined, path = 'priority'): RequestPriority {
  if (option === undefined) return routePriority;
  if (isPriority(option)) return () => option;
  const run = expressionAt(path, () => compiled(option));
  return (c) => {
    const text = textOf(run, c);
    return isPriority(text) ? text : c.route.priority;
  };
}

/** A single word was hardly meant as an expression. */
function compiled(option: string): (c: PolicyContext) => string {
  try {
    return compileTextExpression(option);
  } catch (error) {
    if (!(error instanceof ConfigError && /^[A-Za-z]+$/.test(option))) throw error;
    const suggestion =
      didYouMean(option, PRIORITIES) ?? `say ${PRIORITIES.join(', ')}, or an expression that gives one`;
    throw ConfigError.at('', 'is neither a priority nor an expression', suggestion);
  }
}

const routePriority: RequestPriority = (c) => c.route.priority;

const isPriority = (text: string | undefined): text is Priority => PRIORITIES.some((one) => one === text);

function textOf(run: (c: PolicyContext) => string, c: PolicyContext): string | undefined {
  try {
    return run(c);
  } catch {
    return undefined;
  }
}
