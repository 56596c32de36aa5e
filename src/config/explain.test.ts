import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError } from '../errors.ts';
import { type TSchema, Type } from '../lib/schema.ts';
import { explain } from './explain.ts';
import { IssueList } from './issues.ts';

function told(schema: TSchema, value: unknown): string[] {
  const issues = new IssueList();
  explain(schema, value, [], issues);
  try {
    issues.throwIfAny();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.issues.map(
      (i) => `${i.path}: ${i.message}${i.suggestion === undefined ? '' : ` | ${i.suggestion}`}`,
    );
  }
  return [];
}

const strict = { additionalProperties: false };
const Window = Type.Object(
  { limit: Type.Integer({ minimum: 1, maximum: 9 }), window: Type.String() },
  strict,
);
const Shape = Type.Union([
  Type.Object({ kind: Type.Literal('circle'), radius: Type.Number() }, strict),
  Type.Object({ kind: Type.Literal('square'), side: Type.Number() }, strict),
]);

describe('explain', () => {
  const cases: readonly [name: string, schema: TSchema, value: unknown, told: string[]][] = [
    ['a wrong type', Type.Integer(), 'x', [': must be an integer']],
    ['a fraction', Type.Integer(), 1.5, [': must be an integer']],
    [
      'an object for a list',
      Type.Array(Type.String()),
      { a: 1 },
      [': must be a list | put a "-" before each item'],
    ],
    ['a text for a list', Type.Array(Type.String()), 'a', [': must be a list | put it in brackets: [ ]']],
    ['nothing for a list', Type.Array(Type.String()), null, [': must be a list']],
    ['null', Type.Object({}), null, [': must be an object']],
    ['a list for an object', Type.Object({}), [], [': must be an object']],
    [
      'an unknown key',
      Window,
      { limit: 1, windw: '1m' },
      ['windw: unknown key "windw" | did you mean "window"?', ': is missing the key "window"'],
    ],
    [
      'an unknown key that is near nothing',
      Window,
      { limit: 1, window: '', zzz: 1 },
      ['zzz: unknown key "zzz" | known keys: limit, window'],
    ],
    [
      'an inherited name',
      Window,
      { limit: 1, window: '', constructor: 1 },
      ['constructor: unknown key "constructor" | known keys: limit, window'],
    ],
    ['bounds', Window, { limit: 10, window: '' }, ['limit: must be at most 9']],
    [
      'all faults at once',
      Window,
      { limit: 0, window: 1 },
      ['limit: must be at least 1', 'window: must be text'],
    ],
    [
      'a choice',
      Type.Union([Type.Literal('enforce'), Type.Literal('shadow')]),
      'shdow',
      [': must be one of "enforce", "shadow" | did you mean "shadow"?'],
    ],
    [
      'a choice beside an object',
      Type.Union([Type.Literal('consumer'), Type.Literal('address'), Window]),
      'adress',
      [': must be one of "consumer", "address" | did you mean "address"?'],
    ],
    [
      'what others call it',
      Type.Union([Type.Literal('consumer'), Type.Literal('address')]),
      'custommer',
      [': must be one of "consumer", "address" | did you mean "consumer"?'],
    ],
    [
      'what others call something that is no choice here',
      Type.Union([Type.Literal('route'), Type.Literal('address')]),
      'customer',
      [': must be one of "route", "address"'],
    ],
    [
      'an object that is none of those beside a choice',
      Type.Union([Type.Literal('consumer'), Window]),
      { header: 'x' },
      [': must be "consumer", or have one of the keys "limit", "window"'],
    ],
    [
      'an object that is nearly one beside a choice',
      Type.Union([Type.Literal('consumer'), Window]),
      { limti: 1, window: '' },
      ['limti: unknown key "limti" | did you mean "limit"?', ': is missing the key "limit"'],
    ],
    ['an enumeration', Type.Unsafe({ enum: ['a', 1] }), 'b', [': must be one of "a", 1 | did you mean "a"?']],
    ['a literal', Type.Literal(1), 2, [': must be 1']],
    ['a literal of another type', Type.Literal(1), '1', [': must be a number | write 1']],
    [
      'a pattern with words',
      Type.String({ pattern: '^a', patternErrorMessage: 'must start with a' }),
      'b',
      [': must start with a'],
    ],
    [
      'a wrong type under a pattern with words',
      Type.String({ pattern: '^a', patternErrorMessage: 'must start with a' }),
      1,
      [': must start with a'],
    ],
    ['a pattern without words', Type.String({ pattern: '^a' }), 'b', [': must match ^a']],
    ['an empty list', Type.Array(Type.String(), { minItems: 1 }), [], [': must not be empty']],
    ['an item', Type.Array(Type.String()), ['a', 1], ['[1]: must be text']],
    [
      'a repeated item',
      Type.Array(Type.String(), { uniqueItems: true }),
      ['a', 'b', 'a'],
      ['[2]: occurs twice'],
    ],
    [
      'a union by type',
      Type.Union([Type.String({ maxLength: 1 }), Type.Array(Type.String())]),
      [1],
      ['[0]: must be text'],
    ],
    [
      'no branch of a union',
      Type.Union([Type.String(), Type.Array(Type.String())]),
      1,
      [': must be text or a list'],
    ],
    [
      'the branch that was meant',
      Shape,
      { kind: 'square', sied: 1 },
      ['sied: unknown key "sied" | did you mean "side"?', ': is missing the key "side"'],
    ],
    [
      'a name that is none',
      Type.Record(Type.String({ pattern: '^[a-z]+$' }), Type.Integer(), strict),
      { 'a b': 1, c: 'x' },
      ['["a b"]: is not a valid name here', 'c: must be an integer'],
    ],
    ['a keyword it has no words for', Type.Unsafe({ not: {} }), 1, [': does not match its schema']],
  ];
  for (const [name, schema, value, expected] of cases) {
    it(name, () => assert.deepEqual(told(schema, value), expected));
  }

  it('never quotes a value', () => {
    const secret = 'hunter2-hunter2';
    const schemas = [
      Type.Integer(),
      Type.Literal('x'),
      Type.String({ maxLength: 1 }),
      Type.String({ pattern: '^$' }),
      Shape,
      Type.Null(),
    ];
    for (const schema of schemas) assert.doesNotMatch(told(schema, secret).join(), /hunter2/);
  });
});
