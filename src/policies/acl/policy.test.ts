import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, identity, policyContext } from '../../../test/fixtures/policy-context.ts';
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
    assert.equal(await reasonOf(one, []), 'none of groups [partners]; the caller has []');
    const two: AclConfig = { allow: [{ groups: ['partners'] }, { groups: ['staff'], methods: ['POST'] }] };
    assert.equal(
      await reasonOf(two, ['x']),
      'allow[0]: none of groups [partners]; the caller has [x]; allow[1]: the request is outside its methods',
    );
  });

  it('shortens what a credential brings', async () => {
    const groups = Array.from({ length: 500 }, (_, i) => `g${i}`);
    const reason = await reasonOf({ allow: { groups: ['partners'] } }, groups);
    assert.ok(reason?.endsWith('g9, and 490 more]'));
  });

  it('needs an identity only where a block asks for one', () => {
    const { needs } = acl;
    assert.ok(typeof needs === 'function');
    assert.deepEqual(needs({ allow: { methods: ['GET'] } }), []);
    assert.deepEqual(needs({ allow: 'everyone', deny: [{ methods: ['GET'] }, { scopes: ['a'] }] }), [
      'identity',
    ]);
  });
});
