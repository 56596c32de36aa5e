import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ContextOptions, identity, policyContext } from '../../test/fixtures/policy-context.ts';
import { ConfigError } from '../errors.ts';
import { parseIpAddress } from '../lib/ip-address.ts';
import { type By, callerKeys, needsIdentity } from './caller-key.ts';

const ATTACHMENT = 'route:orders/rate-limit';
const deps = { attachment: ATTACHMENT };

/** Who is counted: their key, or that they are counted by address since nobody can tell them apart as asked. */
function counted(by: By | undefined, options: ContextOptions): string {
  const context = policyContext(options);
  const { scope, key } = callerKeys(by, deps)(context);
  const isByAddress = scope === `${ATTACHMENT} by address`;
  assert.ok(isByAddress || scope === ATTACHMENT);
  assert.deepEqual(context.notices, isByAddress && by !== undefined ? ['key-undecided'] : []);
  return isByAddress ? `by address ${key}` : key;
}

function from(text: string): ContextOptions {
  const client = parseIpAddress(text);
  assert.ok(client);
  return { client };
}

const as = (over: Parameters<typeof identity>[0]): ContextOptions => ({ identity: identity(over) });
const UNDECIDED = 'by address 192.0.2.1';
const claims = (value: unknown): ContextOptions => as({ claims: { tenant: value } });
const TENANT: By = { claim: 'tenant' };
const HEADER: By = { header: 'X-Tenant' };
const BY_PLAN: By = { expression: 'consumer + " " + request.headers["x-plan"]' };

const CASES: readonly [what: string, by: By | undefined, options: ContextOptions, key: string][] = [
  ['nothing said, nobody known', undefined, {}, UNDECIDED],
  ['nothing said, a consumer', undefined, as({ consumer: 'ann' }), 'ann'],

  ['a consumer', 'consumer', as({ consumer: 'ann' }), 'ann'],
  ['a consumer whose name is an address', 'consumer', as({ consumer: '192.0.2.1' }), '192.0.2.1'],
  ['no consumer', 'consumer', {}, UNDECIDED],

  ['a credential', 'credential', as({ credential: { id: 'k1', kind: 'api-key' } }), 'api-key k1'],
  [
    'a credential of another kind',
    'credential',
    as({ credential: { id: 'k1', kind: 'basic-auth' } }),
    'basic-auth k1',
  ],
  ['an identity without a credential', 'credential', as({ consumer: 'ann' }), 'consumer ann'],
  ['no credential', 'credential', {}, UNDECIDED],

  ['a group', 'group', as({ groups: ['partners'] }), 'partners'],
  ['the first of several groups by name', 'group', as({ groups: ['staff', 'admins', 'users'] }), 'admins'],
  ['the same groups in another order', 'group', as({ groups: ['users', 'staff', 'admins'] }), 'admins'],
  ['a consumer without a group', 'group', as({ groups: [] }), UNDECIDED],
  ['a group without a name', 'group', as({ groups: [''] }), UNDECIDED],
  ['no group', 'group', {}, UNDECIDED],

  ['an address', 'address', from('192.0.2.7'), '192.0.2.7'],
  ['an IPv4 address in IPv6', 'address', from('::ffff:192.0.2.7'), '192.0.2.7'],
  ['an IPv4 address in hexadecimal IPv6', 'address', from('::ffff:c000:207'), '192.0.2.7'],
  ['a /64', 'address', from('2001:db8:0:1::1'), '536939960.1.0.0/64'],
  ['the same /64', 'address', from('2001:DB8:0000:1:ffff:ffff:ffff:ffff'), '536939960.1.0.0/64'],
  ['another /64', 'address', from('2001:db8:0:2::1'), '536939960.2.0.0/64'],
  [
    'a wider IPv4 network',
    { address: { ipv4: 24 } },
    from('192.0.2.7'),
    `${((192 << 24) >>> 0) + (2 << 8)}/24`,
  ],
  ['IPv4 beside a length for IPv6', { address: { ipv6: 48 } }, from('192.0.2.7'), '192.0.2.7'],
  ['a /48', { address: { ipv6: 48 } }, from('2001:db8:7:1::1'), `536939960.${7 << 16}.0.0/48`],
  ['one IPv6 address', { address: { ipv6: 128 } }, from('2001:db8::1'), '536939960.0.0.1/128'],

  ['a route', 'route', { route: 'orders' }, 'orders'],
  ['no route', 'route', { route: '' }, ''],

  ['a header', HEADER, { headers: { 'x-tenant': 'a' } }, 'a'],
  ['a header in another case', HEADER, { headers: { 'X-TENANT': 'a' } }, 'a'],
  ['a value in another case', HEADER, { headers: { 'x-tenant': 'A' } }, 'A'],
  ['a value like an address', HEADER, { headers: { 'x-tenant': '192.0.2.1' } }, '192.0.2.1'],
  ['a header with an underscore', HEADER, { headers: { x_tenant: 'a' } }, UNDECIDED],
  ['a header twice', HEADER, { headers: ['x-tenant', 'a', 'X-Tenant', 'b'] }, UNDECIDED],
  ['a header twice alike', HEADER, { headers: ['x-tenant', 'a', 'x-tenant', 'a'] }, UNDECIDED],
  ['an empty header', HEADER, { headers: { 'x-tenant': '' } }, UNDECIDED],
  ['no header', HEADER, {}, UNDECIDED],

  ['a claim', TENANT, claims('acme'), 'acme'],
  ['a claim that is a number', TENANT, claims(1), '1'],
  ['the same number as a text', TENANT, claims('1'), '1'],
  ['the same number written with a point', TENANT, claims(1.0), '1'],
  ['a negative zero', TENANT, claims(-0), '0'],
  ['a claim that is an object', TENANT, claims({ id: 'acme' }), UNDECIDED],
  ['a claim that is a list', TENANT, claims(['acme']), UNDECIDED],
  ['a claim that is a boolean', TENANT, claims(true), UNDECIDED],
  ['a claim that is null', TENANT, claims(null), UNDECIDED],
  ['an empty claim', TENANT, claims(''), UNDECIDED],
  ['no claim', TENANT, as({}), UNDECIDED],
  ['no identity, a claim asked for', TENANT, {}, UNDECIDED],
  ['a claim that every object has', { claim: 'constructor' }, as({}), UNDECIDED],
  ['a claim that is the prototype', { claim: '__proto__' }, as({}), UNDECIDED],

  [
    'an expression',
    BY_PLAN,
    { headers: { 'x-plan': 'gold' }, identity: identity({ consumer: 'ann' }) },
    'ann gold',
  ],
  ['an expression that fails', BY_PLAN, {}, UNDECIDED],
  ['an expression over a header sent twice', BY_PLAN, { headers: ['x-plan', 'a', 'x-plan', 'b'] }, UNDECIDED],
  ['an expression that yields nothing', { expression: 'consumer' }, {}, UNDECIDED],
  ['an expression of a claim', { expression: 'claims.tenant' }, claims('acme'), 'acme'],
  ['an expression that yields another type', { expression: 'claims.tenant' }, claims(7), UNDECIDED],
];

describe('who a request is counted for', () => {
  for (const [what, by, options, key] of CASES) {
    it(`${what}, by ${JSON.stringify(by) ?? 'default'}`, () => assert.equal(counted(by, options), key));
  }

  it('cannot be said by a client in the place of an address or a consumer', () => {
    const scopeOf = (by: By | undefined, options: ContextOptions) =>
      callerKeys(by, deps)(policyContext(options)).scope;
    assert.notEqual(scopeOf(HEADER, { headers: { 'x-tenant': '192.0.2.1' } }), scopeOf(HEADER, {}));
    assert.notEqual(scopeOf(undefined, as({ consumer: '192.0.2.1' })), scopeOf(undefined, {}));
  });

  it('is of bounded length, and differs where the length or an end does', () => {
    const long = 'x'.repeat(30_000);
    const values = [long, `${long}x`, `a${long.slice(1)}`, `${long.slice(1)}a`];
    const keys = values.map((value) => counted(HEADER, { headers: { 'x-tenant': value } }));
    assert.equal(new Set(keys).size, values.length);
    for (const key of keys) assert.ok(key.length < 300);
    const most = 'x'.repeat(256);
    assert.equal(counted(HEADER, { headers: { 'x-tenant': most } }), most);
    // The short form of a long value is too long to be said by a short one.
    assert.ok(keys[0].length > most.length);
  });

  const faults: readonly [by: By, suggestion: string | undefined][] = [
    [{ expression: 'requst.path' }, 'did you mean "request"?'],
    [{ expression: 'request.path ==' }, undefined],
    [{ expression: 'request.path == "/"' }, undefined],
    [{ expression: 'now' }, undefined],
    [{ expression: '""' }, 'say by: route to count all together'],
    [{ expression: '"all" + string(1 / 0)' }, 'say by: route to count all together'],
  ];
  for (const [by, suggestion] of faults) {
    it(`is refused at compile: ${JSON.stringify(by)}`, () => {
      assert.throws(
        () => callerKeys(by, deps, 'keys[1].by'),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.issues.length, 1);
          assert.equal(error.issues[0].path, 'keys[1].by.expression');
          assert.equal(error.issues[0].suggestion, suggestion);
          return true;
        },
      );
    });
  }

  const needs: readonly [by: By | undefined, needed: boolean][] = [
    [undefined, false],
    ['consumer', true],
    ['credential', true],
    ['group', true],
    [TENANT, true],
    ['address', false],
    ['route', false],
    [HEADER, false],
    [BY_PLAN, false],
    [{ address: { ipv6: 48 } }, false],
  ];
  for (const [by, needed] of needs) {
    it(`${needed ? 'needs' : 'needs no'} identity by ${JSON.stringify(by) ?? 'default'}`, () => {
      assert.equal(needsIdentity(by), needed);
    });
  }
});
