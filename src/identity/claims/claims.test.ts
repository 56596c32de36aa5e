import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Compile } from 'typebox/schema';
import { compileDeps } from '../../../test/fixtures/policy-context.ts';
import type { Consumer, Identity, Revocations } from '../../contract/index.ts';
import { ClaimMapping, type ClaimMappingConfig, type Claims, claimMappingSchema } from './claims.ts';

type Known = Record<string, Consumer | 'disabled' | undefined>;

function mapping(config: ClaimMappingConfig, known: Known = {}, revoked: Partial<Revocations> = {}) {
  const none = { hasCredential: () => false, hasConsumer: () => false, hasToken: () => false, version: 0 };
  return new ClaimMapping(config, compileDeps({ known, more: { revocations: { ...none, ...revoked } } }));
}

function identify(claims: Claims, config: ClaimMappingConfig = {}, known: Known = {}): Identity | string {
  const caller = mapping(config, known).caller(claims, { kind: 'jwt' });
  return typeof caller === 'string' ? caller : caller.identity();
}

const many = Array.from({ length: 1001 }, (_, i) => `g${i}`);

/** Claims that name nobody, or cannot be understood: refused. */
const REFUSED: readonly (readonly [name: string, claims: Claims, config?: ClaimMappingConfig])[] = [
  ['no claim at all', {}],
  ['an empty name', { sub: '' }],
  ['a number', { sub: 7 }],
  ['a list', { sub: ['a'] }],
  ['a wrong first name where a second would do', { sub: 7, client_id: 'a' }],
  ['a line break, which would begin a header or a record of its own', { sub: 'a\nb' }],
  ['a NUL', { sub: 'a\0b' }],
  ['half a character, which no header can carry', { sub: 'a\ud800' }],
  ['a name too long for a record', { sub: 'n'.repeat(257) }],
  ['what every object inherits', { sub: 'a' }, { consumer: 'constructor' }],
  ['what every object inherits, nested', { sub: 'a', x: {} }, { consumer: '/x/constructor/name' }],
  ['groups that are an object', { sub: 'a', groups: { admin: true } }],
  ['a group that is no text', { sub: 'a', groups: ['a', 1] }],
  ['a group with a line break', { sub: 'a', groups: ['a\r\nX-Admin: 1'] }],
  ['more groups than any rule should look through', { sub: 'a', groups: many }],
  ['a scope with a space in a list', { sub: 'a', scp: ['read write'] }],
  ['a scope with a quote, which would break a challenge', { sub: 'a', scope: 'a"b' }],
  ['scopes that are a number', { sub: 'a', scope: 1 }],
  ['a consumer that is not declared', { sub: 'a' }, { declared: true }],
];

interface Mapped {
  readonly name: string;
  readonly claims: Claims;
  readonly config?: ClaimMappingConfig;
  readonly expected: Partial<Identity>;
}

const MAPPED: readonly Mapped[] = [
  { name: 'the subject', claims: { sub: 'ann' }, expected: { consumer: 'ann', groups: [], scopes: [] } },
  {
    name: 'a client without a subject',
    claims: { client_id: 'cron' },
    expected: { consumer: 'cron', credential: { id: 'cron', kind: 'jwt' } },
  },
  {
    name: 'the token’s id as that of the credential',
    claims: { sub: 'a', jti: 'j-1', azp: 'app' },
    expected: { credential: { id: 'j-1', kind: 'jwt' } },
  },
  {
    name: 'scopes as one text',
    claims: { sub: 'a', scope: ' read  write ' },
    expected: { scopes: ['read', 'write'] },
  },
  {
    name: 'scopes as a list',
    claims: { sub: 'a', scp: ['read', 'write'] },
    expected: { scopes: ['read', 'write'] },
  },
  { name: 'one group as a text', claims: { sub: 'a', groups: 'a b' }, expected: { groups: ['a b'] } },
  {
    name: 'nested claims',
    claims: { sub: 'a', realm_access: { roles: ['x'] }, 'a/b~': { n: 'who' } },
    config: { groups: '/realm_access/roles', consumer: '/a~1b~0/n' },
    expected: { consumer: 'who', groups: ['x'] },
  },
  {
    name: 'a claim with dots, and one that is a URL',
    claims: { 'https://example.com/name': 'n', 'a.b': ['g'], a: { b: ['other'] } },
    config: { consumer: 'https://example.com/name', groups: 'a.b' },
    expected: { consumer: 'n', groups: ['g'] },
  },
  {
    name: 'the first claim that is there',
    claims: { email: 'e', sub: 'a' },
    config: { consumer: ['upn', 'email', 'sub'] },
    expected: { consumer: 'e' },
  },
  {
    name: 'a prefix',
    claims: { sub: 'ann' },
    config: { prefix: 'okta:' },
    expected: { consumer: 'okta:ann' },
  },
];

describe('claims name nobody', () => {
  for (const [name, claims, config] of REFUSED) {
    it(name, () => assert.equal(typeof identify(claims, config), 'string'));
  }

  it('where their consumer is disabled', () => {
    assert.equal(typeof identify({ sub: 'a' }, {}, { a: 'disabled' }), 'string');
  });

  it('a declared consumer, where a prefix keeps them apart', () => {
    const known = { ann: { name: 'ann', groups: ['admins'] } };
    const found = identify({ sub: 'ann' }, { prefix: 'x:' }, known);
    assert.deepEqual(typeof found !== 'string' && found.groups, []);
    assert.equal(typeof identify({ sub: 'ann' }, { prefix: 'x:', declared: true }, known), 'string');
  });
});

describe('claims name a caller by', () => {
  for (const { name, claims, config, expected } of MAPPED) {
    it(name, () => {
      const found = identify(claims, config);
      assert.ok(typeof found !== 'string', String(found));
      assert.deepEqual({ ...found, ...expected }, found);
      assert.equal(found.claims, claims);
    });
  }

  it('a declared consumer, with its id and its groups', () => {
    const known = { ann: { name: 'ann', id: '17', groups: ['staff', 'readers'] } };
    const found = identify({ sub: 'ann', groups: ['readers', 'x'] }, { declared: true }, known);
    assert.ok(typeof found !== 'string');
    assert.deepEqual(
      [found.consumer, found.consumerId, found.groups],
      ['ann', '17', ['readers', 'x', 'staff']],
    );
  });
});

describe('a remembered caller', () => {
  const claims = { sub: 'ann', iss: 'https://a.test', jti: 'j' };

  it('is refused once the token is revoked, the consumer disabled, or no longer declared', () => {
    const revoked = { token: '', consumer: '' };
    const known: Known = { ann: { name: 'ann', groups: [] } };
    const caller = mapping({ declared: true }, known, {
      hasToken: (issuer, id) => `${issuer} ${id}` === revoked.token,
      hasConsumer: (name) => name === revoked.consumer,
    }).caller(claims, { kind: 'jwt' });
    assert.ok(typeof caller !== 'string');
    assert.equal(typeof caller.identity(), 'object');
    revoked.token = 'https://a.test j';
    assert.equal(typeof caller.identity(), 'string');
    revoked.token = '';
    revoked.consumer = 'ann';
    assert.equal(typeof caller.identity(), 'string');
    revoked.consumer = '';
    known.ann = undefined;
    assert.equal(typeof caller.identity(), 'string');
  });

  it('has the issuer it was told where the claims have none', () => {
    const asked: string[] = [];
    const hasToken = (issuer: string, id: string) => asked.push(`${issuer} ${id}`) > 1;
    const caller = mapping({}, {}, { hasToken }).caller(
      { sub: 'a', jti: 'j' },
      { kind: 'x', issuer: 'https://b.test' },
    );
    assert.ok(typeof caller !== 'string');
    assert.equal(typeof caller.identity(), 'object');
    assert.equal(typeof caller.identity(), 'string');
    assert.deepEqual(new Set(asked), new Set(['https://b.test j']));
  });

  it('is one object until the consumer changes, and has its new groups then', () => {
    const known: Known = { ann: { name: 'ann', groups: ['old'] } };
    const caller = mapping({}, known).caller(claims, { kind: 'jwt' });
    assert.ok(typeof caller !== 'string');
    const before = caller.identity();
    assert.equal(caller.identity(), before);
    known.ann = { name: 'ann', groups: ['new'] };
    const after = caller.identity();
    assert.deepEqual(typeof after !== 'string' && after.groups, ['new']);
  });
});

describe('a mapping in a document', () => {
  const schema = Compile(claimMappingSchema);
  const wrong = [
    { consumer: '' },
    { consumer: [] },
    { consumer: '/' },
    { consumer: '/a~2' },
    { groups: 'a\nb' },
    { prefix: '' },
    { prefix: 'a\n' },
    { group: 'x' },
  ];
  for (const config of wrong) {
    it(`${JSON.stringify(config)} is refused`, () => assert.equal(schema.Check(config), false));
  }

  it('takes names, URLs and pointers', () => {
    const config = {
      consumer: ['s', 'https://example.com/name', '/a/b~1c'],
      groups: 'a.b',
      prefix: 'x:',
      declared: true,
    };
    assert.equal(schema.Check(config), true);
  });
});
