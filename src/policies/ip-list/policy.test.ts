import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { geoDatabases } from '../../../test/fixtures/address-lists.ts';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, policyContext } from '../../../test/fixtures/policy-context.ts';
import { ConfigError, PolicyFailure } from '../../errors.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { ipList } from './policy.ts';
import type { IpListConfig } from './schema.ts';

runPolicyCases(ipList, new URL('cases.json', import.meta.url));

async function ruleFor(config: IpListConfig, clientText: string): Promise<string> {
  const client = parseIpAddress(clientText);
  assert.ok(client);
  const policy = await ipList.compile(config, compileDeps());
  const decision = await policy.request?.(policyContext({ client }));
  if (decision?.kind !== 'reject') return decision?.kind ?? 'none';
  assert.equal(decision.error.code, 'address-denied');
  return decision.error.rule ?? '';
}

async function issuesOf(config: IpListConfig, files: Record<string, string> = {}) {
  try {
    await ipList.compile(config, compileDeps({ files }));
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
  return [];
}

const cases: readonly (readonly [what: string, config: IpListConfig, client: string, rule: string])[] = [
  ['denies an IPv6 network', { deny: ['2001:db8::/32'] }, '2001:db8:ffff::1', 'deny[0]'],
  ['denies all of IPv6', { deny: ['::/0'] }, 'fe80::1', 'deny[0]'],
  [
    'denies a mapped client by its IPv4 address',
    { deny: ['203.0.113.0/24'] },
    '::ffff:203.0.113.7',
    'deny[0]',
  ],
  ['denies a mapped client in hexadecimal', { deny: ['203.0.113.0/24'] }, '::ffff:cb00:7107', 'deny[0]'],
  ['lets no IPv6 client on for an IPv4 network', { allow: ['0.0.0.0/0'] }, '2001:db8::1', 'allow'],
  ['lets a client next to the allowed network not on', { allow: ['2001:db8::/48'] }, '2001:db8:1::', 'allow'],
  ['lets an allowed IPv6 client on', { allow: ['2001:db8::/48'] }, '2001:db8:0:ffff::1', 'continue'],
  ['lets an IPv6 client on that nothing denies', { deny: ['0.0.0.0/0'] }, '2001:db8::1', 'continue'],
];

describe('ip-list', () => {
  for (const [what, config, client, rule] of cases) {
    it(what, async () => assert.equal(await ruleFor(config, client), rule));
  }

  it('names the network that was probably meant', async () => {
    const [issue] = await issuesOf({ deny: ['203.0.113.7/24'] });
    assert.ok(issue.suggestion?.includes('203.0.113.0/24'));
  });

  const files: [config: IpListConfig, fix: string][] = [
    [{ deny: ['file:./x'] }, 'denyFile: file:./x'],
    [{ allow: ['10.0.0.0/8', './lists/x.txt'] }, 'allowFile: ./lists/x.txt'],
    [{ deny: ['/etc/x'] }, 'denyFile: /etc/x'],
  ];
  for (const [config, fix] of files) {
    it(`says for ${JSON.stringify(config)}: ${fix}`, async () => {
      const [issue] = await issuesOf(config);
      assert.ok(issue.suggestion?.includes(fix), issue.suggestion);
    });
  }

  it('tells the line of a faulty entry, and of very many faulty ones the first hundred and their number', async () => {
    const content = `203.0.113.0/24\n${'nonsense\n'.repeat(5000)}`;
    const issues = await issuesOf({ denyFile: 'deny.txt' }, { 'deny.txt': content });
    assert.equal(issues.length, 101);
    assert.match(issues[0].message, /^line 2: /);
    assert.match(issues[99].message, /^line 101: /);
    assert.match(issues[100].message, /^4900 /);
  });

  it('repeats no more than the beginning of an absurd entry', async () => {
    const [issue] = await issuesOf({ denyFile: 'deny.txt' }, { 'deny.txt': 'x'.repeat(1_000_000) });
    assert.ok(issue.message.length < 200);
  });

  const reasons: readonly (readonly [config: IpListConfig, reason: string])[] = [
    [{ deny: ['203.0.113.0/24'] }, '203.0.113.7 is in 203.0.113.0/24'],
    [
      { deny: [{ network: '203.0.113.0/24', owner: 'ops', reason: 'scans' }] },
      '203.0.113.7 is in 203.0.113.0/24 (scans, owner ops)',
    ],
    [{ deny: ['list:drop'] }, '203.0.113.7 is in 203.0.113.0/26 of list:drop'],
    [
      { deny: [{ network: 'list:drop', reason: 'policy 7' }] },
      '203.0.113.7 is in 203.0.113.0/26 of list:drop (policy 7)',
    ],
    [{ deny: ['country:FR', 'country:DE'] }, '203.0.113.7 is in country:DE'],
    [{ deny: ['asn:unknown'] }, '203.0.113.7 is in asn:unknown'],
    [{ allow: ['192.0.2.1'] }, '203.0.113.7 is in nothing that is allowed'],
  ];
  for (const [config, reason] of reasons) {
    it(`records: ${reason}`, async () => {
      const known = { countries: { '203.0.113.7': 'DE' }, systems: {} };
      const deps = compileDeps({ lists: { drop: ['203.0.113.0/26', '10.0.0.0/8'] }, ...known });
      const policy = await ipList.compile(config, deps);
      const decision = await policy.request?.(policyContext({ client: '203.0.113.7' }));
      assert.ok(decision?.kind === 'reject');
      assert.equal(decision.error.reason, reason);
    });
  }

  it('cannot decide by a list that was never loaded, be it denied or allowed', async () => {
    for (const config of [{ deny: ['list:drop'] }, { deny: ['192.0.2.0/24'], allow: ['list:drop'] }]) {
      const policy = await ipList.compile(config, compileDeps({ lists: { drop: null } }));
      assert.throws(
        () => policy.request?.(policyContext({ client: '203.0.113.7' })),
        (error) => error instanceof PolicyFailure && error.rejection.code === 'list-unavailable',
      );
    }
  });

  it('finds a mapped client in a named list (CHECKLIST 24)', async () => {
    const policy = await ipList.compile(
      { deny: ['list:drop'] },
      compileDeps({ lists: { drop: ['203.0.113.0/24'] } }),
    );
    const client = parseIpAddress('::ffff:203.0.113.7');
    assert.ok(client);
    const decision = await policy.request?.(policyContext({ client }));
    assert.ok(decision?.kind === 'reject');
    assert.equal(decision.error.rule, 'list:drop');
  });

  it('lets go of the databases, also where a later one is missing', async () => {
    const inUse = { count: 0 };
    const more = (systems?: Record<string, number>) => ({
      more: { geo: geoDatabases({ countries: {}, systems }, inUse) },
    });
    const config = { deny: ['country:DE', 'asn:1'], allow: ['country:FR', 'asn:2'] };
    const policy = await ipList.compile(config, compileDeps(more({})));
    assert.equal(inUse.count, 4);
    await policy.dispose?.();
    assert.equal(inUse.count, 0);
    await assert.rejects(async () => ipList.compile(config, compileDeps(more())), ConfigError);
    assert.equal(inUse.count, 0);
  });

  it('is compiled at once where nothing has to be opened', () => {
    assert.ok(!(ipList.compile({ deny: ['192.0.2.0/24'] }, compileDeps()) instanceof Promise));
  });

  it('tells a refused client nothing about the lists', async () => {
    const policy = await ipList.compile({ deny: ['192.0.2.0/24'] }, compileDeps());
    const decision = await policy.request?.(policyContext({ client: '192.0.2.1' }));
    assert.ok(decision?.kind === 'reject');
    assert.equal(decision.error.detail.includes('192.0.2'), false);
  });
});
