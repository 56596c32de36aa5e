import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import {
  compileDeps,
  DEFAULT_NOW_MS,
  identity,
  policyContext,
} from '../../../test/fixtures/policy-context.ts';
import { recordingGuard } from '../../../test/fixtures/recording-guard.ts';
import type { CompileDeps, CredentialMatch, Decision, Policy } from '../../contract/index.ts';
import { apiKey } from './policy.ts';

runPolicyCases(apiKey, new URL('cases.json', import.meta.url));

const match: CredentialMatch = { identity: identity(), expiresAtMs: undefined };
const fingerprint = (key: string) => `api-key:${hash('sha256', key, 'base64url')}`;

async function ask(
  key: string,
  credentials: Readonly<Record<string, CredentialMatch>> = {},
  more: Partial<CompileDeps> = {},
): Promise<Decision> {
  const policy: Policy = await apiKey.compile({}, compileDeps({ credentials, more }));
  const decision = await policy.request?.(policyContext({ headers: { 'x-api-key': key } }));
  assert.ok(decision);
  return decision;
}

describe('api-key', () => {
  it('refuses a key over 512 bytes although it is known', async () => {
    const long = 'k'.repeat(513);
    const decision = await ask(long, { [fingerprint(long)]: match });
    assert.equal(decision.kind === 'reject' && decision.error.code, 'invalid-credential');
    const longest = 'k'.repeat(512);
    assert.equal((await ask(longest, { [fingerprint(longest)]: match })).kind, 'continue');
  });

  it('says the same of a wrong key, of one that has expired and of one that is not valid yet', async () => {
    const told = (decision: Decision) => {
      assert.ok(decision.kind === 'reject');
      const { reason, ...told } = decision.error;
      return { reason, told };
    };
    const wrong = told(await ask('k'));
    const others = [
      { ...match, expiresAtMs: DEFAULT_NOW_MS },
      { ...match, notBeforeMs: DEFAULT_NOW_MS + 1 },
    ];
    const reasons = new Set([wrong.reason]);
    for (const other of others) {
      const refused = told(await ask('k', { [fingerprint('k')]: other }));
      assert.deepEqual(refused.told, wrong.told);
      reasons.add(refused.reason);
    }
    assert.equal(reasons.size, 3);
    const inTime = { ...match, notBeforeMs: DEFAULT_NOW_MS, expiresAtMs: DEFAULT_NOW_MS + 1 };
    assert.equal((await ask('k', { [fingerprint('k')]: inTime })).kind, 'continue');
  });

  it('never puts the key into what it says', async () => {
    assert.equal(JSON.stringify(await ask('secret-key-1')).includes('secret-key-1'), false);
  });

  it('asks the guard before it looks, and tells it of each wrong key', async () => {
    const guard = recordingGuard();
    await ask('wrong', {}, { guard });
    await ask('caf\u00e9', {}, { guard });
    assert.deepEqual(guard.calls, ['check', 'failed', 'check', 'failed']);
    const shut = recordingGuard('refuses');
    assert.equal((await ask('k', { [fingerprint('k')]: match }, { guard: shut })).kind, 'reject');
    assert.deepEqual(shut.calls, ['check']);
  });

  it('leaves the guard alone when nothing is presented', async () => {
    const guard = recordingGuard();
    await ask('', {}, { guard });
    assert.deepEqual(guard.calls, []);
  });

  it('is synchronous when the guard is, and waits when it is not', async () => {
    const credentials = { [fingerprint('k')]: match };
    const request = { headers: { 'x-api-key': 'k' } };
    for (const [mode, isPromise] of [
      ['sync', false],
      ['async', true],
    ] as const) {
      const guard = recordingGuard(mode);
      const policy: Policy = await apiKey.compile({}, compileDeps({ credentials, more: { guard } }));
      const c = policyContext(request);
      const decision = policy.request?.(c);
      assert.equal(decision instanceof Promise, isPromise);
      assert.equal((await decision)?.kind, 'continue');
      assert.equal(c.facts.identity?.consumer, 'mobile-app');
    }
  });
});
