import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, identity, policyContext } from '../../../test/fixtures/policy-context.ts';
import { acl } from './policy.ts';
import type { AclConfig } from './schema.ts';

runPolicyCases(acl, new URL('cases.json', import.meta.url));

async function reasonOf(config: AclConfig, groups: string[]): Promise<string | undefined> {
  const policy = await acl.compile(config, compileDeps({ groups: ['partners', 'staff'] }));
  const decision = await policy.request?.(policyContext({ identity: identity({ groups }) }));
  return decision?.kind === 'reject' ? decision.error.reason : undefined;
}

describe('acl', () => {
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
