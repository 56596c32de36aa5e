import { type CompileDeps, type PolicyContext, PRIORITIES, type Priority } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { compileTextExpression, constantOf } from '../evaluator/index.ts';
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
 * One of the priorities, or a CEL expression that gives one. Left out: the route's; so is one that is undecidable or
 * another text, which is counted as `priority-undecided`. `path` is where it stands in the config. Throws ConfigError for
 * an expression that is wrong, or is the same for every request and no priority.
 */
export function requestPriority(
  option: string | undefined,
  { attachment }: Pick<CompileDeps, 'attachment'>,
  path = 'priority',
): RequestPriority {
  if (option === undefined) return routePriority;
  if (isPriority(option)) return () => option;
  const run = expressionAt(path, () => compiled(option));
  return (c) => {
    const text = textOf(run, c);
    if (isPriority(text)) return text;
    c.deps.notices.count(attachment, 'priority-undecided');
    return c.route.priority;
  };
}

function compiled(option: string): (c: PolicyContext) => string {
  const run = compiledText(option);
  const constant = constantOf(option);
  if (constant === undefined || isPriority(constant.value)) return run;
  throw ConfigError.at('', 'is no priority, whatever is asked for', wordFor(constant.value));
}

/** A single word was hardly meant as an expression. */
function compiledText(option: string): (c: PolicyContext) => string {
  try {
    return compileTextExpression(option);
  } catch (error) {
    if (!(error instanceof ConfigError && /^[A-Za-z]+$/.test(option))) throw error;
    throw ConfigError.at('', 'is neither a priority nor an expression', wordFor(option));
  }
}

const wordFor = (text: unknown): string =>
  (typeof text === 'string' ? didYouMean(text, PRIORITIES) : undefined) ??
  `say ${PRIORITIES.join(', ')}, or an expression that gives one`;

const routePriority: RequestPriority = (c) => c.route.priority;

const isPriority = (text: unknown): text is Priority => PRIORITIES.some((one) => one === text);

function textOf(run: (c: PolicyContext) => string, c: PolicyContext): string | undefined {
  try {
    return run(c);
  } catch {
    return undefined;
  }
}
