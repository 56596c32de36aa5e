import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Compile } from 'typebox/schema';
import { Type } from './schema.ts';
import { matches } from './schema-check.ts';

const strict = { additionalProperties: false };

const SCHEMAS = {
  text: Type.String({ minLength: 1, maxLength: 3, pattern: '^[a-z]*$' }),
  integer: Type.Integer({ minimum: 0, maximum: 10 }),
  above: Type.Number({ exclusiveMinimum: 1 }),
  choice: Type.Union([Type.Literal('a'), Type.Literal(1), Type.Null()]),
  list: Type.Array(Type.Boolean(), { minItems: 1, maxItems: 2, uniqueItems: true }),
  object: Type.Object({ a: Type.String(), b: Type.Optional(Type.Integer()) }, strict),
  open: Type.Object({ a: Type.Optional(Type.Unknown()) }),
  record: Type.Record(Type.String({ pattern: '^[ab]$' }), Type.Integer(), { ...strict, minProperties: 1 }),
};

const value = fc.oneof(
  { withCrossShrink: true },
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('a', 'abc', 'abcd', 1, 2, 1.5, 11, null, [true], [true, true], [true, false]),
  fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(fc.string(), fc.integer()), { maxKeys: 3 }),
);

describe('schemas of our own', () => {
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    const oracle = Compile(schema);
    it(`${name}: judges as TypeBox's validator does`, () => {
      fc.assert(
        fc.property(value, (v) => matches(schema, v) === oracle.Check(v)),
        { numRuns: 500, seed: 7 },
      );
    });
  }

  it('takes own properties only', () => {
    const schema = Type.Object({ toString: Type.String() });
    assert.equal(matches(schema, {}), false);
  });

  it('throws on a keyword it does not check, instead of letting the value pass', () => {
    assert.throws(() => matches(Type.Unsafe({ not: {} }), 1), TypeError);
    assert.throws(() => matches(Type.Unsafe({ type: 'date' }), 1), TypeError);
  });

  it('keeps no trace of optional in the JSON', () => {
    const schema = Type.Object({ a: Type.Optional(Type.String()), b: Type.String() });
    const expected = {
      type: 'object',
      required: ['b'],
      properties: { a: { type: 'string' }, b: { type: 'string' } },
    };
    assert.deepEqual(JSON.parse(JSON.stringify(schema)), expected);
  });
});
