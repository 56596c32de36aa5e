import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, identity, policyContext } from '../../../test/fixtures/policy-context.ts';
import type { Decision, Policy } from '../../contract/index.ts';
import { apiKey } from './policy.ts';

runPolicyCases(apiKey, new URL('cases.json', import.meta.url));

const match = { identity: identity(), expiresAtMs: undefined };
const fingerprint = (key: string) => `api-key:${hash('sha256', key, 'base64url')}`;

async function ask(key: string, credentials: Parameters<typeof compileDeps>[0]): Promise<Decision> {
  const policy: Policy = await apiKey.compile({}, compileDeps(credentials));
  const decision = await policy.request?.(policyContext({ headers: { 'x-api-key': key } }));
  assert.ok(decision);
  return decision;
}

describe('api-key', () => {
  it('refuses a key over 512 bytes although it is known', async () => {
    const long = 'k'.repeat(513);
    const decision = await ask(long, { credentials: { [fingerprint(long)]: match } });
    assert.equal(decision.kind === 'reject' && decision.error.code, 'invalid-credential');
    const longest = 'k'.repeat(512);
    assert.equal((await ask(longest, { credentials: { [fingerprint(longest)]: match } })).kind, 'continue');
  });

  it('says the same of a wrong and of an expired key', async () => {
    const told = (decision: Decision) => {
      assert.ok(decision.kind === 'reject');
      const { reason, ...told } = decision.error;
      return { reason, told };
    };
    const wrong = told(await ask('k', {}));
    const expired = told(
      await ask('k', { credentials: { [fingerprint('k')]: { ...match, expiresAtMs: 1 } } }),
    );
    assert.deepEqual(wrong.told, expired.told);
    assert.notEqual(wrong.reason, expired.reason);
  });

  it('never puts the key into what it says', async () => {
    assert.equal(JSON.stringify(await ask('secret-key-1', {})).includes('secret-key-1'), false);
  });
});
