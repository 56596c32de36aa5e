import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, identity, policyContext } from '../../../test/fixtures/policy-context.ts';
import type { Identity, IdentityFields } from '../../contract/index.ts';
import { identityHeaders } from './policy.ts';
import type { IdentityHeadersConfig } from './schema.ts';

runPolicyCases(identityHeaders, new URL('cases.json', import.meta.url));

async function fieldsOf(...configs: IdentityHeadersConfig[]): Promise<IdentityFields> {
  const c = policyContext();
  for (const config of configs) {
    const policy = await identityHeaders.compile(config, compileDeps());
    await policy.request?.(c);
  }
  assert.ok(c.facts.identityFields);
  return c.facts.identityFields;
}

async function said(config: IdentityHeadersConfig, who: Partial<Identity>): Promise<Record<string, string>> {
  const flat = (await fieldsOf(config)).of(identity(who));
  const pairs = flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]] as const] : []));
  return Object.fromEntries(pairs);
}

const only = (headers: Record<string, string>): IdentityHeadersConfig => ({ preset: 'none', headers });

const claims = {
  email: 'ann@example.com',
  age: 41,
  staff: true,
  roles: ['a', 'b, admins', 7],
  mixed: ['a', { b: 1 }],
  nested: { deep: ['x'] },
  'with.dots': 'whole',
  with: { dots: 'nested' },
  long: 'l'.repeat(5000),
  empty: [],
  nothing: null,
};

describe('identity-headers says', () => {
  const cases: [source: string, who: Partial<Identity>, value: string | undefined][] = [
    ['consumer', { consumer: 'ann' }, 'ann'],
    ['consumer', { consumer: 'änn' }, '%C3%A4nn'],
    ['consumer', { consumer: ' root' }, '%20root'],
    ['consumer', { consumer: 'root\t' }, 'root%09'],
    ['consumer', { consumer: 'a\r\nX-Admin: 1' }, 'a%0D%0AX-Admin%3A%201'],
    ['consumer', { consumer: '\ud800' }, '%EF%BF%BD'],
    ['consumer', { consumer: 'Ann of Cleves' }, 'Ann of Cleves'],
    ['consumerId', {}, undefined],
    ['consumerId', { consumerId: '17' }, '17'],
    ['groups', {}, undefined],
    ['groups', { groups: ['a', 'b'] }, 'a, b'],
    ['groups', { groups: ['a, admins', 'b'] }, 'a%2C%20admins, b'],
    ['groups', { groups: ['', 'b'] }, 'b'],
    ['groups', { groups: Array.from({ length: 500 }, () => 'a-long-group') }, undefined],
    ['scopes', { scopes: ['read', 'write'] }, 'read write'],
    ['scopes', { scopes: ['read write'] }, 'read%20write'],
    ['credential', {}, undefined],
    ['credential', { credential: { id: 'k-1', kind: 'api-key' } }, 'k-1'],
    ['credentialKind', { credential: { id: 'k-1', kind: 'api-key' } }, 'api-key'],
    ['anonymous', {}, undefined],
    ['anonymous', { anonymous: true }, 'true'],
    ['claim:email', { claims }, 'ann@example.com'],
    ['claim:age', { claims }, '41'],
    ['claim:staff', { claims }, 'true'],
    ['claim:roles', { claims }, 'a, b%2C%20admins, 7'],
    ['claim:mixed', { claims }, undefined],
    ['claim:nested', { claims }, undefined],
    ['claim:nested.deep', { claims }, 'x'],
    ['claim:/nested/deep', { claims }, 'x'],
    ['claim:with.dots', { claims }, 'whole'],
    ['claim:constructor', { claims }, undefined],
    ['claim:long', { claims }, undefined],
    ['claim:empty', { claims }, undefined],
    ['claim:nothing', { claims }, undefined],
  ];
  for (const [source, who, value] of cases) {
    it(`${value === undefined ? 'nothing' : value} for ${source} ${JSON.stringify(who).slice(0, 60)}`, async () => {
      assert.deepEqual(await said(only({ 'X-A': source }), who), value === undefined ? {} : { 'X-A': value });
    });
  }

  it('nothing of nobody', async () => {
    const fields = await fieldsOf({ preset: 'kong', headers: { 'X-User': 'consumer' } });
    assert.deepEqual(fields.of(undefined), []);
  });

  it('what Kong says, and what is named beside or in place of it', async () => {
    const who = { consumer: 'ann', groups: ['a'], anonymous: true } as const;
    assert.deepEqual(
      await said({ headers: { 'x-consumer-username': 'groups', 'X-User': 'consumer' } }, who),
      {
        'X-Consumer-Groups': 'a',
        'X-Anonymous-Consumer': 'true',
        'x-consumer-username': 'a',
        'X-User': 'ann',
      },
    );
  });

  it('nothing where nothing is wanted', async () => {
    assert.deepEqual(await said({ preset: 'none' }, { consumer: 'ann' }), {});
  });

  it('as the later of two says, which keeps from clients what either names', async () => {
    const fields = await fieldsOf(only({ 'X-A': 'consumer' }), only({ 'X-B': 'consumer' }));
    assert.deepEqual([...fields.names], ['x-a', 'x-b']);
    assert.deepEqual(fields.of(identity({ consumer: 'ann' })), ['X-B', 'ann']);
  });
});
