import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Compile } from 'typebox/schema';
import { ConfigError, type ErrorCode } from '../errors.ts';
import { type CountOption, countedAnswers, countSchema } from './counted-answers.ts';

const isCounted = (option: CountOption, status: number, code?: ErrorCode): boolean =>
  countedAnswers(option)({ status, code, decisions: [], upstreamMs: undefined });

const MIXED: CountOption = { status: ['4xx', 302, '500-504'] };
const WRONG: CountOption = { codes: ['invalid-credential'] };

const CASES: readonly [
  what: string,
  option: CountOption,
  status: number,
  code: ErrorCode | undefined,
  yes: boolean,
][] = [
  ['the first of a class', MIXED, 400, undefined, true],
  ['the last of a class', MIXED, 499, undefined, true],
  ['a status', MIXED, 302, undefined, true],
  ['the first of a range', MIXED, 500, undefined, true],
  ['the last of a range', MIXED, 504, undefined, true],
  ['after a range', MIXED, 505, undefined, false],
  ['before a class', MIXED, 399, undefined, false],
  ['another', MIXED, 200, undefined, false],
  ['a status of no class', MIXED, 999, undefined, false],
  ['the gateway’s own answer', MIXED, 403, 'forbidden', true],
  ['a code', WRONG, 401, 'invalid-credential', true],
  ['another code', WRONG, 401, 'unauthenticated', false],
  ['the status of a code, from the upstream', WRONG, 401, undefined, false],
  ['an answer that broke off after its head', { status: ['2xx'] }, 200, 'upstream-reset', true],
  ['an answer that broke off, by its code', { codes: ['upstream-reset'] }, 200, 'upstream-reset', true],
  ['nobody knows, offline', { status: ['1xx', '2xx', '3xx', '4xx', '5xx'] }, 0, undefined, false],
  // Who goes away before each answer would not be counted at all.
  ['the client went away before it', { status: [401] }, 0, 'client-closed-request', true],
];

describe('which answers count', () => {
  const schema = Compile(countSchema);
  for (const [what, option, status, code, yes] of CASES) {
    it(`${what}: ${status} ${code ?? ''}`, () => {
      assert.ok(schema.Check(option));
      assert.equal(isCounted(option, status, code), yes);
    });
  }

  const refused: readonly unknown[] = [
    {},
    { status: [] },
    { status: ['6xx'] },
    { status: ['4x'] },
    { status: ['0xx'] },
    { status: ['400-'] },
    { status: ['400-500-600'] },
    { status: ['99'] },
    { status: [99] },
    { status: [600] },
    { status: [404.5] },
    { status: 404 },
    { codes: [] },
    { codes: [401] },
    { statuses: [401] },
  ];
  for (const option of refused) {
    it(`never ${JSON.stringify(option)}`, () => assert.equal(schema.Check(option), false));
  }

  it('are told with every fault, its path and what was meant', () => {
    assert.throws(
      () => countedAnswers({ status: [200, '504-500'], codes: ['forbiden', 'forbidden', 'zzz'] }),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(
          error.issues.map(({ path, suggestion }) => [path, suggestion]),
          [
            ['count.status[1]', undefined],
            ['count.codes[0]', 'did you mean "forbidden"?'],
            ['count.codes[2]', undefined],
          ],
        );
        return true;
      },
    );
  });
});
