import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { MEMBER, type TSchema } from '../lib/schema.ts';
import { POLICIES } from './index.ts';

const folders = readdirSync(new URL('.', import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

/** Texts with a form that a check could only tell as a regular expression. */
function wordless(schema: unknown, path: string): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const isWordless = 'pattern' in schema && !('patternErrorMessage' in schema);
  const inner = Object.entries(schema).flatMap(([key, member]) => wordless(member, `${path}.${key}`));
  return isWordless ? [path, ...inner] : inner;
}

/** Whether a config can have no option that is not known: an object that says so, or a list of members. */
function isClosed(schema: TSchema): boolean {
  if (Array.isArray(schema.anyOf)) return schema.anyOf.every(isClosed);
  return schema.type === 'array' ? schema.items === MEMBER : schema.additionalProperties === false;
}

describe('policies', () => {
  it('list every folder once, by its name', () => {
    assert.deepEqual(
      POLICIES.map(({ name }) => name),
      folders,
    );
  });

  for (const { name, schema, summary } of POLICIES) {
    it(`${name} is complete`, () => {
      for (const file of ['schema.ts', 'policy.ts', 'policy.test.ts', 'cases.json', 'README.md']) {
        assert.ok(existsSync(new URL(`${name}/${file}`, import.meta.url)), file);
      }
      assert.ok(summary.endsWith('.'));
      assert.deepEqual(wordless(schema, name), []);
      assert.ok(isClosed(schema), 'unknown options are errors');
    });
  }
});
