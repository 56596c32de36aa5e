import type { RequestEnd } from '../contract/index.ts';
import { ConfigError, type ConfigIssue, ERRORS, type ErrorCode } from '../errors.ts';
import { type Static, Type } from '../lib/schema.ts';
import { didYouMean } from '../lib/suggest.ts';

/** Which answers make their requests count. */
export const countSchema = Type.Object(
  {
    status: Type.Optional(
      Type.Array(
        Type.Union([
          Type.Integer({ minimum: 100, maximum: 599 }),
          Type.String({
            pattern: '^([1-5]xx|[1-5][0-9]{2}(-[1-5][0-9]{2})?)$',
            patternErrorMessage: 'must be a status, a class or a range: 401, 4xx or 500-504',
          }),
        ]),
        {
          description: 'Statuses, classes and ranges of what the client is answered, whoever answers.',
          minItems: 1,
          maxItems: 50,
          examples: [['4xx', '500-504']],
        },
      ),
    ),
    codes: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'Error codes of the gateway’s own answers.',
        minItems: 1,
        maxItems: 50,
        examples: [['invalid-credential']],
      }),
    ),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    description:
      'Only requests that are answered so count: each takes its place when it comes, and gives it back at its end if it was answered otherwise.',
  },
);

export type CountOption = Static<typeof countSchema>;

/** Whether a request counts, now that it has ended. */
export type CountedAnswers = (end: RequestEnd) => boolean;

const STATUSES = 600;

/**
 * An answer that nobody saw since the client went away counts: what became of the request cannot be told, and a client
 * could go away before each answer. Where there is no live answer (offline) and none is given, it does not. `path` is
 * where it stands in the config. Throws ConfigError with every fault.
 */
export function countedAnswers(option: CountOption, path = 'count'): CountedAnswers {
  const issues: ConfigIssue[] = [];
  const statuses = statusesOf(option.status ?? [], `${path}.status`, issues);
  const codes = codesOf(option.codes ?? [], `${path}.codes`, issues);
  if (issues.length > 0) throw new ConfigError(issues);
  return ({ status, code }) => {
    if (code !== undefined && codes.has(code)) return true;
    return status === 0 ? code !== undefined : statuses[status] === 1;
  };
}

function statusesOf(
  entries: NonNullable<CountOption['status']>,
  path: string,
  issues: ConfigIssue[],
): Uint8Array {
  const statuses = new Uint8Array(STATUSES);
  for (const [i, entry] of entries.entries()) {
    const [from, to] = rangeOf(String(entry));
    if (from > to) issues.push({ path: `${path}[${i}]`, message: 'ends before it begins' });
    else statuses.fill(1, from, to + 1);
  }
  return statuses;
}

function rangeOf(entry: string): readonly [from: number, to: number] {
  if (entry.endsWith('xx')) return [Number(entry[0]) * 100, Number(entry[0]) * 100 + 99];
  const [from, to = from] = entry.split('-');
  return [Number(from), Number(to)];
}

function codesOf(names: readonly string[], path: string, issues: ConfigIssue[]): ReadonlySet<ErrorCode> {
  const codes = new Set<ErrorCode>();
  for (const [i, name] of names.entries()) {
    if (isErrorCode(name)) codes.add(name);
    else issues.push(unknownCode(name, `${path}[${i}]`));
  }
  return codes;
}

function unknownCode(name: string, path: string): ConfigIssue {
  const suggestion = didYouMean(name, Object.keys(ERRORS));
  const issue = { path, message: `there is no error code "${name}"` };
  return suggestion === undefined ? issue : { ...issue, suggestion };
}

const isErrorCode = (name: string): name is ErrorCode => Object.hasOwn(ERRORS, name);
