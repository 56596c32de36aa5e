import type { CompileDeps, PolicyContext } from '../contract/index.ts';
import type { ConfigIssue } from '../errors.ts';
import { compileWholeExpression } from '../evaluator/index.ts';
import { type Static, Type } from '../lib/schema.ts';
import { expressionAt } from './expression-at.ts';

/** What one request counts: the same for all, or by what it asks for. */
export const costSchema = Type.Union(
  [
    Type.Integer({ minimum: 1 }),
    Type.Object(
      {
        expression: Type.String({
          description: 'CEL expression that gives a whole number. 0 counts as 1.',
          minLength: 1,
          maxLength: 2000,
          examples: ['int(request.headers["x-count"])'],
        }),
        max: Type.Integer({
          description:
            'The most a request costs. One whose cost is more, negative or cannot be told costs so much.',
          minimum: 1,
        }),
      },
      { additionalProperties: false },
    ),
  ],
  { description: 'What one request counts.', default: 1 },
);

export type CostOption = Static<typeof costSchema>;

/** What a request counts. */
export interface RequestCost {
  /** The most that one may cost. */
  readonly most: number;
  /** A whole number from 1 to `most`. What cannot be told is `most`, and is counted as `cost-undecided`. */
  of(c: PolicyContext): number;
}

/** `path` is where it stands in the config. Throws ConfigError for an expression that is wrong. */
export function requestCost(
  option: CostOption | undefined,
  deps: Pick<CompileDeps, 'attachment'>,
  path = 'cost',
): RequestCost {
  if (option === undefined || typeof option === 'number') return fixed(option ?? 1);
  const { expression, max } = option;
  const run = expressionAt(`${path}.expression`, () => compileWholeExpression(expression));
  return {
    most: max,
    of(c) {
      const cost = told(run, c);
      // Nothing to do is still a request: who could name a price of 0 would not be limited at all.
      if (cost === 0) return 1;
      if (cost !== undefined && cost > 0 && cost <= max) return cost;
      c.deps.notices.count(deps.attachment, 'cost-undecided');
      return max;
    },
  };
}

/** Why a limit that admits `atMost` at once would never admit a request that costs the most; undefined where it does. */
export function costIssue(
  option: CostOption | undefined,
  atMost: number,
  path = 'cost',
): ConfigIssue | undefined {
  const isFixed = option === undefined || typeof option === 'number';
  if ((isFixed ? (option ?? 1) : option.max) <= atMost) return undefined;
  return {
    path: isFixed ? path : `${path}.max`,
    message: `is more than the ${atMost} ever admitted at once`,
  };
}

const fixed = (cost: number): RequestCost => ({ most: cost, of: () => cost });

function told(run: (c: PolicyContext) => number, c: PolicyContext): number | undefined {
  try {
    return run(c);
  } catch {
    return undefined;
  }
}
