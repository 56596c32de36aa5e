import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, identity, ipv4, policyContext } from '../../../test/fixtures/policy-context.ts';
import type { AddressList, Identity } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { acl } from './policy.ts';
import type { AclConfig } from './schema.ts';

runPolicyCases(acl, new URL('cases.json', import.meta.url));

async function reasonOf(config: AclConfig, groups: string[]): Promise<string | undefined> {
  const policy = await acl.compile(config, compileDeps({ groups: ['partners', 'staff'] }));
  const decision = await policy.request?.(policyContext({ identity: identity({ groups }) }));
  return decision?.kind === 'reject' ? decision.error.reason : undefined;
}

function suggestionsFor(config: AclConfig): (string | undefined)[] {
  try {
    acl.compile(config, compileDeps({ consumers: ['web', 'mobile'], groups: ['partners'] }));
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map((issue) => issue.suggestion);
    throw error;
  }
  return [];
}

describe('acl', () => {
  const misspelt: [config: AclConfig, meant: string][] = [
    [{ allow: { consumers: ['moble'] } }, '"mobile"'],
    [{ allow: 'everyone', deny: [{ groups: ['Partner'] }] }, '"partners"'],
    [{ allow: { groups: ['mobile'] } }, 'declare'],
  ];
  for (const [config, meant] of misspelt) {
    it(`suggests ${meant} for ${JSON.stringify(config)}`, () => {
      const [suggestion] = suggestionsFor(config);
      assert.ok(suggestion?.includes(meant), suggestion);
    });
  }

  it('compares few of very many misspelt names', () => {
    const consumers = Array.from({ length: 30 }, () => 'moble');
    const suggestions = suggestionsFor({ allow: { consumers } });
    assert.equal(suggestions.length, 30);
    assert.equal(suggestions.filter((text) => text?.includes('"mobile"')).length, 20);
  });

  it('says what was wanted and what the caller has', async () => {
    const one: AclConfig = { allow: { groups: ['partners'] } };
    assert.equal(await reasonOf(one, []), 'denied: none of groups [partners]; the caller has []');
    const two: AclConfig = { allow: [{ groups: ['partners'] }, { groups: ['staff'], methods: ['POST'] }] };
    assert.equal(
      await reasonOf(two, ['x']),
      'denied: allow[0]: none of groups [partners]; the caller has [x]; allow[1]: the request is outside its methods',
    );
  });

  it('shortens what a credential brings', async () => {
    const groups = Array.from({ length: 500 }, (_, i) => `g${i}`);
    const reason = await reasonOf({ allow: { groups: ['partners'] } }, groups);
    assert.ok(reason?.endsWith('g9, and 490 more]'));
  });

  it('explains few of very many blocks', async () => {
    const allow = Array.from({ length: 500 }, () => ({ groups: ['partners'] }));
    const reason = await reasonOf({ allow }, []);
    assert.ok(reason?.endsWith('; and 490 more'));
    assert.ok((reason?.length ?? 0) < 1000);
  });

  it('needs an identity only where a block asks for one', () => {
    const { needs } = acl;
    assert.ok(typeof needs === 'function');
    assert.deepEqual(needs({ allow: { methods: ['GET'] } }), []);
    assert.deepEqual(needs({ allow: 'everyone', deny: [{ methods: ['GET'] }, { scopes: ['a'] }] }), [
      'identity',
    ]);
    for (const key of ['allGroups', 'allScopes'])
      assert.deepEqual(needs({ allow: { [key]: ['a'] } }), ['identity']);
    assert.deepEqual(needs({ allow: { claims: { a: ['b'] } } }), ['identity']);
    assert.deepEqual(needs({ allow: { when: 'consumer == ""' } }), []);
  });

  it('explains in the words of what was missing', async () => {
    const claims = { email: 'ann@example.com' };
    const cases: [config: AclConfig['allow'], over: Partial<Identity>, reason: string][] = [
      [
        { scopes: ['orders.write'] },
        { scopes: ['orders.read'] },
        'none of [orders.write]; the token has [orders.read]',
      ],
      [{ allScopes: ['a', 'b'] }, { scopes: ['a'] }, 'not all of [a, b]; the token has [a]'],
      [{ allGroups: ['partners', 'staff'] }, {}, 'not all of groups [partners, staff]; the caller has []'],
      [{ consumers: ['web'] }, { consumer: 'ann' }, 'none of consumers [web]; the caller is ann'],
      [{ claims: { email: ['ben@example.com'] } }, { claims }, 'not its values of the claims [email]'],
      [{ when: 'false' }, {}, 'its condition does not hold'],
      [{ times: [{ days: ['sun'] }], paths: ['/orders/*'] }, {}, 'the request is outside its times'],
      [
        { groups: ['staff'], scopes: ['a'] },
        {},
        'none of groups [staff]; the caller has [], and none of [a]; the token has []',
      ],
    ];
    const deps = compileDeps({ consumers: ['web'], groups: ['partners', 'staff'] });
    for (const [allow = {}, over, reason] of cases) {
      const policy = await acl.compile({ allow }, deps);
      const decision = await policy.request?.(policyContext({ identity: identity(over) }));
      assert.equal(decision?.kind === 'reject' && decision.error.reason, `denied: ${reason}`);
    }
  });

  it('fails where nothing but what cannot be decided would decide', async () => {
    const undecided = { when: 'request.headers.x == "1"' };
    const configs: [config: AclConfig, rule: string][] = [
      [{ allow: undecided }, 'allow'],
      [{ allow: [{ methods: ['POST'] }, undecided] }, 'allow[1]'],
      [{ allow: 'everyone', deny: undecided }, 'deny'],
      [{ allow: { methods: ['GET'] }, deny: [undecided, { methods: ['POST'] }] }, 'deny[0]'],
      [{ allow: { addresses: ['list:empty'] } }, 'allow'],
      [{ allow: 'everyone', deny: { addresses: ['10.0.0.0/8', 'list:empty'] } }, 'deny'],
    ];
    const lookup = () => assert.fail('no content');
    const lists = { list: () => ({ version: undefined, lookup, describe: () => '' }) };
    for (const [config, rule] of configs) {
      const policy = await acl.compile(config, compileDeps({ more: { lists } }));
      assert.throws(
        () => policy.request?.(policyContext()),
        (error) => error instanceof Error && error.message.startsWith(`${rule}: `),
        JSON.stringify(config),
      );
    }
  });

  it('looks addresses up in lists, as of now', async () => {
    const asked: unknown[] = [];
    const list: AddressList = {
      version: '1',
      lookup: ({ d }, nowMs) => {
        asked.push(nowMs);
        return d === ipv4('192.0.2.9').d ? 1 : -1;
      },
      describe: () => '',
    };
    const empty: AddressList = { ...list, lookup: () => assert.fail('no content') };
    const lists = { list: (name: string) => (name === 'office' ? list : empty) };
    const addresses = ['10.0.0.0/8', 'list:empty', 'list:office'];
    const policy = await acl.compile({ allow: { addresses } }, compileDeps({ more: { lists } }));
    const ask = (client: string) => policy.request?.(policyContext({ client, nowMs: 7 }));
    assert.equal((await ask('192.0.2.9'))?.kind, 'continue');
    assert.equal((await ask('10.1.2.3'))?.kind, 'continue');
    assert.deepEqual(asked, [7]);
    assert.throws(() => ask('192.0.2.8'), /^Error: allow: /);
  });

  it('tells of a list that is not declared at its place', () => {
    const lists = {
      list: (name: string) => {
        throw ConfigError.at('', `there is no list "${name}"`, 'did you mean "office"?');
      },
    };
    const deps = compileDeps({ more: { lists } });
    assert.throws(
      () => acl.compile({ allow: [{ addresses: ['10.0.0.1', 'list:offce'] }] }, deps),
      (error) =>
        error instanceof ConfigError &&
        error.issues[0].path === 'allow[0].addresses[1]' &&
        error.issues[0].suggestion === 'did you mean "office"?',
    );
  });

  it('reads a path of nothing but dots in little time', async () => {
    const policy = await acl.compile({ allow: 'everyone', deny: [{ paths: ['/admin/**'] }] }, compileDeps());
    const path = `/${'.'.repeat(4000)}x${'%20'.repeat(1000)}x/${'a/'.repeat(500)}`;
    const before = performance.now();
    assert.equal((await policy.request?.(policyContext({ path })))?.kind, 'continue');
    assert.ok(performance.now() - before < 20);
  });
});

it('a caller with long names does not choose how much is recorded', async () => {
  const names = { groups: ['a'], allGroups: ['a'], scopes: ['s'], allScopes: ['s'] };
  const long = Array.from({ length: 1000 }, (_, i) => String(i).padEnd(256, 'x'));
  for (const blocks of [1, 20]) {
    const allow = Array.from({ length: blocks }, () => names);
    const policy = await acl.compile({ allow }, compileDeps({ groups: ['a'] }));
    const decision = await policy.request?.(
      policyContext({ identity: identity({ groups: long, scopes: long }) }),
    );
    assert.ok(decision?.kind === 'reject');
    const { length = 0 } = decision.error.reason ?? '';
    assert.ok(length > 100 && length <= 2001, String(length));
  }
});
