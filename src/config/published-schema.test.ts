import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { bundleDeps, documentWith } from '../../test/fixtures/config.ts';
import { POLICIES } from '../policies/index.ts';
import { PolicyCatalog } from './catalog.ts';
import { isObject } from './json-shape.ts';
import { publishedSchema } from './published-schema.ts';

describe('the published schema', () => {
  const schema: unknown = JSON.parse(JSON.stringify(publishedSchema(new PolicyCatalog(POLICIES))));
  const isValid = new Ajv({ strict: false }).compile(isObject(schema) ? schema : {});
  const withPolicy = (item: unknown) => documentWith({}, { policies: [item] });

  const cases: readonly [name: string, document: unknown, valid: boolean][] = [
    ['a sound document', documentWith({ $schema: './schema.json' }), true],
    [
      'an attachment',
      withPolicy({ 'rate-limit': { limit: 100, window: '1m' }, mode: 'shadow', owner: 'me' }),
      true,
    ],
    ['an attachment without config', withPolicy({ 'api-key': null }), true],
    ['an attachment without the config it needs', withPolicy({ concurrency: null }), false],
    [
      'members',
      withPolicy({
        'any-of': [{ 'all-of': [{ 'api-key': null }] }, { anonymous: { consumer: 'a' }, when: 'true' }],
      }),
      true,
    ],
    [
      'members and what is said of them',
      withPolicy({ 'all-of': { members: [{ 'api-key': {} }], identity: 'a' } }),
      true,
    ],
    ['a misspelt member', withPolicy({ 'any-of': [{ 'api-kye': {} }] }), false],
    ['a misspelt option of a member', withPolicy({ 'any-of': [{ 'api-key': { heade: 'x' } }] }), false],
    ['a member that proves nothing', withPolicy({ 'any-of': [{ cors: { origins: ['*'] } }] }), false],
    ['a member with a mode', withPolicy({ 'any-of': [{ 'api-key': {}, mode: 'shadow' }] }), false],
    [
      'two policies in one member',
      withPolicy({ 'any-of': [{ 'api-key': {}, anonymous: { consumer: 'a' } }] }),
      false,
    ],
    ['no members', withPolicy({ 'any-of': null }), false],
    ['an unknown key', documentWith({ rout: [] }), false],
    ['an unknown policy', withPolicy({ 'rate-limt': {} }), false],
    ['two policies in one item', withPolicy({ 'api-key': {}, cors: { origins: ['*'] } }), false],
    ['an item without a policy', withPolicy({ mode: 'shadow' }), false],
    ['an unknown key of a config', withPolicy({ 'rate-limit': { limit: 100, windw: '1m' } }), false],
    [
      'a duration without a unit',
      documentWith({ upstreams: { a: { targets: ['http://a'], timeouts: { idle: '5' } } } }),
      false,
    ],
    [
      'an inline secret',
      documentWith({ consumers: [{ name: 'a', credentials: [{ 'api-key': { secret: 'x' } }] }] }),
      false,
    ],
  ];
  for (const [name, document, valid] of cases) {
    it(`${valid ? 'takes' : 'refuses'} ${name}`, () =>
      assert.equal(isValid(document), valid, JSON.stringify(isValid.errors)));
  }

  it('describes every key of the document itself', () => {
    const bare: string[] = [];
    visit(schema, '', bare);
    assert.deepEqual(bare, []);
  });

  it('says the same of attachments as the check', () => {
    const { catalog } = bundleDeps();
    assert.ok(catalog.definitions.length > 0);
    const own: unknown = JSON.parse(JSON.stringify(publishedSchema(catalog)));
    const check = new Ajv({ strict: false }).compile(isObject(own) ? own : {});
    assert.equal(check(withPolicy({ mark: { n: 1 } })), true);
    assert.equal(check(withPolicy({ cors: {} })), false);
  });
});

/** Keys without a description an editor could show; policies' own configs are their folders' concern. */
function visit(schema: unknown, path: string, bare: string[]): void {
  if (!isObject(schema)) return;
  for (const [key, member] of Object.entries(isObject(schema.properties) ? schema.properties : {})) {
    const described = isObject(member) && (typeof member.description === 'string' || '$ref' in member);
    if (!described) bare.push(`${path}.${key}`);
    if (path !== '.attachment') visit(member, `${path}.${key}`, bare);
  }
  for (const part of ['items', 'additionalProperties']) visit(schema[part], path, bare);
  for (const branch of Array.isArray(schema.anyOf) ? schema.anyOf : []) visit(branch, path, bare);
  const named = [schema.patternProperties, schema.definitions];
  for (const group of named) {
    if (isObject(group)) for (const [key, member] of Object.entries(group)) visit(member, `.${key}`, bare);
  }
}
