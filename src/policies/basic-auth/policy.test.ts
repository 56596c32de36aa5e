import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { cryptoCalls } from '../../../test/fixtures/crypto-calls.ts';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import {
  type ContextOptions,
  compileDeps,
  DEFAULT_NOW_MS,
  identity,
  policyContext,
  type RecordedContext,
} from '../../../test/fixtures/policy-context.ts';
import { recordingGuard } from '../../../test/fixtures/recording-guard.ts';
import type { CompileDeps, CredentialMatch, Decision, Policy } from '../../contract/index.ts';
import { credentialGuard, digestVerifier, hashPassword } from '../../identity/index.ts';
import { offlineResources } from '../../outbound/index.ts';
import { createLocalCounters } from '../../state/index.ts';
import { type PasswordChecks, passwordChecks } from './password-checks.ts';
import { basicAuth } from './policy.ts';
import type { BasicAuthConfig } from './schema.ts';

runPolicyCases(basicAuth, new URL('cases.json', import.meta.url));

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const as = (user: string, password: string, more: ContextOptions = {}): RecordedContext =>
  policyContext({ headers: { authorization: basic(user, password) }, ...more });
const match = (verifier: string | undefined, more: object = {}): CredentialMatch => ({
  identity: identity({ consumer: 'ann' }),
  expiresAtMs: undefined,
  ...(verifier === undefined ? {} : { verifier }),
  ...more,
});

const ANN = digestVerifier('ann', 'right horse');

interface Told {
  readonly code: string;
  readonly reason: string | undefined;
}

describe('basic-auth', () => {
  let resources = offlineResources();
  let checks: PasswordChecks;
  /** Changed under the policy, as live credentials are. */
  let credentials: Record<string, CredentialMatch>;
  beforeEach(() => {
    resources = offlineResources();
    checks = resources.acquire(passwordChecks).resource;
    credentials = { 'basic-auth:ann': match(ANN) };
  });
  const compile = (config: BasicAuthConfig = {}, more: Partial<CompileDeps> = {}): Policy => {
    const policy = basicAuth.compile(config, compileDeps({ credentials, more: { resources, ...more } }));
    assert.ok(!(policy instanceof Promise));
    return policy;
  };
  const decide = async (policy: Policy, c: RecordedContext): Promise<Decision> => {
    const decision = await policy.request?.(c);
    assert.ok(decision !== undefined);
    return decision;
  };
  const told = (decision: Decision): Told => {
    assert.ok(decision.kind === 'reject', 'it is refused');
    const { code, reason } = decision.error;
    return { code, reason };
  };

  it('refuses a stranger, a wrong password and times that are over or still to come, all alike and at one price', async () => {
    const argon2 = await hashPassword('right horse', Buffer.alloc(16));
    Object.assign(credentials, {
      'basic-auth:hashed': match(argon2),
      'basic-auth:expired': match(digestVerifier('expired', 'right horse'), { expiresAtMs: DEFAULT_NOW_MS }),
      'basic-auth:early': match(digestVerifier('early', 'right horse'), { notBeforeMs: DEFAULT_NOW_MS + 1 }),
      'basic-auth:broken': match(undefined),
    });
    const policy = compile();
    const reasons: unknown[] = [];
    const answers = new Set<string>();
    for (const c of [
      as('nobody', 'right horse'),
      as('ann', 'wrong horse'),
      as('hashed', 'wrong horse'),
      as('expired', 'right horse'),
      as('early', 'right horse'),
      as('broken', 'right horse'),
    ]) {
      const before = checks.turns;
      const decision = await decide(policy, c);
      assert.ok(decision.kind === 'reject');
      const { reason, ...public_ } = decision.error;
      reasons.push(reason);
      answers.add(JSON.stringify(public_));
      assert.equal(checks.turns, before + 1);
      assert.deepEqual([c.recorded, c.facts.identity], [[], undefined]);
      assert.doesNotMatch(JSON.stringify(decision), /horse/);
    }
    assert.equal(answers.size, 1);
    assert.deepEqual(reasons, [
      'no consumer has this user name',
      'the password is wrong',
      'the password is wrong',
      'the credential has expired',
      'the credential is not valid yet',
      'the password is wrong',
    ]);
    assert.equal((await decide(policy, as('hashed', 'right horse'))).kind, 'continue');
  });

  it('takes as long for a stranger as for a user, whose hash may be dearer than usual', async () => {
    const salt = Buffer.alloc(16).toString('base64').replace(/=+$/, '');
    const tag = Buffer.alloc(32).toString('base64').replace(/=+$/, '');
    credentials = { 'basic-auth:dear': match(`$argon2id$v=19$m=32768,t=3,p=1$${salt}$${tag}`) };
    const policy = compile();
    const price = async (user: string) => {
      const calls = await cryptoCalls('argon2', () => decide(policy, as(user, 'guess')));
      return calls.map(([, parameters]) => ({ ...Object(parameters), message: '', nonce: '' }));
    };
    const known = await price('dear');
    assert.deepEqual([known.length, known[0].memory], [1, 32_768]);
    assert.deepEqual(await price('nobody'), known);
  });

  it('never takes another user’s verifier for a stranger’s', async () => {
    credentials = { 'basic-auth:hashed': match(await hashPassword('right horse', Buffer.alloc(16))) };
    credentials['basic-auth:broken'] = match(undefined);
    for (const user of ['nobody', 'broken']) {
      assert.equal(told(await decide(compile(), as(user, 'right horse'))).code, 'invalid-credential');
    }
  });

  it('checks a right password once, then is synchronous', async () => {
    const policy = compile();
    const first = as('ann', 'right horse');
    assert.ok(policy.request?.(first) instanceof Promise);
    assert.equal((await decide(policy, as('ann', 'right horse'))).kind, 'continue');
    const c = as('ann', 'right horse');
    assert.deepEqual(policy.request?.(c), { kind: 'continue' });
    assert.equal(c.facts.identity?.consumer, 'ann');
    assert.deepEqual(c.recorded, [['removeRequestHeader', 'authorization']]);
    assert.equal(checks.turns, 1);
  });

  it('does not remember a wrong password, nor a right one for another user', async () => {
    credentials['basic-auth:ben'] = match(digestVerifier('ben', 'other horse'));
    const policy = compile();
    await decide(policy, as('ann', 'right horse'));
    for (let i = 0; i < 2; i++) {
      assert.equal(told(await decide(policy, as('ann', 'wrong horse'))).code, 'invalid-credential');
      assert.equal(told(await decide(policy, as('ben', 'right horse'))).code, 'invalid-credential');
    }
    assert.equal(checks.turns, 5);
  });

  it('forgets at once what was revoked, changed or is over', async () => {
    const policy = compile();
    await decide(policy, as('ann', 'right horse'));
    const changes: readonly (() => void)[] = [
      () => delete credentials['basic-auth:ann'],
      () => {
        credentials['basic-auth:ann'] = match(digestVerifier('ann', 'new horse'));
      },
      () => {
        credentials['basic-auth:ann'] = match(ANN, { expiresAtMs: DEFAULT_NOW_MS });
      },
    ];
    for (const change of changes) {
      credentials['basic-auth:ann'] = match(ANN);
      assert.deepEqual(policy.request?.(as('ann', 'right horse')), { kind: 'continue' });
      change();
      assert.equal(told(await decide(policy, as('ann', 'right horse'))).code, 'invalid-credential');
    }
  });

  it('forgets after a time', async () => {
    const policy = compile({ remember: '1m' });
    await decide(policy, as('ann', 'right horse'));
    const later = (ms: number) => as('ann', 'right horse', { nowMs: DEFAULT_NOW_MS + ms });
    assert.ok(!(policy.request?.(later(59_999)) instanceof Promise));
    assert.ok(policy.request?.(later(60_000)) instanceof Promise);
    assert.ok(compile({ remember: '0s' }).request?.(later(0)) instanceof Promise);
    assert.ok(compile({ remember: '1h' }).request?.(later(-1)) instanceof Promise);
  });

  it('asks the guard by address and name, before it looks and again when it is a waiting one’s turn', async () => {
    const guard = recordingGuard('async');
    const policy = compile({}, { guard });
    await decide(policy, as('ann', 'wrong horse'));
    assert.deepEqual(guard.calls, ['check ann', 'check ann', 'failed ann']);
    const shut = recordingGuard('refuses');
    assert.equal(
      told(await decide(compile({}, { guard: shut }), as('ann', 'right horse'))).code,
      'too-many-failures',
    );
    assert.deepEqual(shut.calls, ['check ann']);
    assert.equal(checks.turns, 1);
  });

  it('counts what cannot be read against the address, without a derivation', async () => {
    const guard = recordingGuard();
    const policy = compile({}, { guard });
    const odd = ['Basic', 'Basic YW5u', 'Basic ?', `Basic ${'A'.repeat(8000)}`, 'Basic caf\u00e9'];
    for (const authorization of odd) {
      const decision = await decide(policy, policyContext({ headers: { authorization } }));
      assert.equal(told(decision).code, 'invalid-credential');
    }
    assert.deepEqual(
      guard.calls,
      odd.flatMap(() => ['check', 'failed']),
    );
    assert.equal(checks.turns, 0);
  });

  it('stops guesses that were sent together at the guard’s number, not at theirs', async () => {
    const state = createLocalCounters();
    const guard = credentialGuard({
      failures: 3,
      windowMs: 60_000,
      banAfter: 10,
      banWindowMs: 60_000,
      banMs: 60_000,
    });
    const policy = compile({}, { guard });
    const guesses = Array.from({ length: 20 }, (_, i) => decide(policy, as('ann', `guess-${i}`, { state })));
    const codes = (await Promise.all(guesses)).map((decision) => told(decision).code);
    assert.deepEqual(
      codes.filter((code) => code === 'invalid-credential'),
      Array(4).fill('invalid-credential'),
    );
    assert.equal(codes.filter((code) => code === 'too-many-failures').length, 16);
  });

  it('refuses a flood for a time, while who is remembered goes on', async () => {
    const policy = compile();
    await decide(policy, as('ann', 'right horse'));
    const flood = Array.from({ length: 80 }, (_, i) =>
      policy.request?.(as(`stranger-${i}`, 'x', { client: `192.0.2.${i}` })),
    );
    const known = policy.request?.(as('ann', 'right horse'));
    assert.deepEqual(known, { kind: 'continue' });
    const busy = await flood[79];
    assert.ok(busy?.kind === 'reject');
    assert.equal(busy.error.code, 'identity-unavailable');
    assert.equal(busy.error.status, 503);
    assert.deepEqual(busy.error.headers, ['Retry-After', '3']);
    const codes = (await Promise.all(flood)).map((d) => (d?.kind === 'reject' ? d.error.code : 'none'));
    assert.equal(codes.filter((code) => code === 'identity-unavailable').length, 80 - 65);
    assert.equal(checks.turns, 1 + 65);
  });

  it('checks one pair that comes many times at once once for each address', async () => {
    const policy = compile();
    const many = [1, 2].flatMap((n) =>
      Array.from({ length: 100 }, () => as('ann', 'right horse', { client: `192.0.2.${n}` })),
    );
    const decisions = await Promise.all(many.map((c) => decide(policy, c)));
    assert.ok(decisions.every(({ kind }) => kind === 'continue'));
    assert.ok(many.every((c) => c.facts.identity?.consumer === 'ann' && c.recorded.length === 1));
    assert.equal(checks.turns, 2);
  });

  it('gives its place back when a check fails', async () => {
    const policy = compile();
    credentials['basic-auth:odd'] = match('no hash at all');
    await assert.rejects(async () => decide(policy, as('odd', 'x')));
    assert.equal((await decide(policy, as('ann', 'right horse'))).kind, 'continue');
  });

  it('remembers over a reload, and nothing once no attachment is left', async () => {
    const own = { resources: offlineResources() };
    const before = compile({}, own);
    await decide(before, as('ann', 'right horse'));
    const after = compile({ realm: 'other' }, own);
    await before.dispose?.();
    assert.ok(!(after.request?.(as('ann', 'right horse')) instanceof Promise));
    await after.dispose?.();
    assert.ok(compile({}, own).request?.(as('ann', 'right horse')) instanceof Promise);
  });
});
