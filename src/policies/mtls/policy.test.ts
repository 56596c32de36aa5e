import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import {
  clientCertificate,
  compileDeps,
  DEFAULT_NOW_MS,
  type DepsOptions,
  identity,
  policyContext,
} from '../../../test/fixtures/policy-context.ts';
import type { Decision, Policy } from '../../contract/index.ts';
import { mtls } from './policy.ts';
import type { MtlsConfig } from './schema.ts';

runPolicyCases(mtls, new URL('cases.json', import.meta.url));

const BY_NAME: MtlsConfig = { match: [{ commonName: '*', from: 'commonName', groups: ['devices'] }] };
const CERTIFICATE = clientCertificate({ commonName: 'orders', subject: 'CN=orders' });
const MATCH = { identity: identity({ consumer: 'orders' }), expiresAtMs: undefined };

const compile = async (config: MtlsConfig, options: DepsOptions): Promise<Policy> =>
  await mtls.compile(config, compileDeps(options));

async function ask(policy: Policy, certificate = CERTIFICATE, nowMs = DEFAULT_NOW_MS) {
  const c = policyContext({ certificate, nowMs });
  const decision = await policy.request?.(c);
  assert.ok(decision);
  return { decision, identity: c.facts.identity };
}

const told = ({ decision }: { readonly decision: Decision }) => {
  assert.ok(decision.kind === 'reject');
  const { reason, ...error } = decision.error;
  return { reason, error };
};

describe('mtls', () => {
  it('says the same of an unknown, an expired, a revoked and a disabled certificate', async () => {
    const revoked = {
      hasCredential: () => true,
      hasConsumer: () => false,
      hasToken: () => false,
      version: 1,
    };
    const none = { ...revoked, hasCredential: () => false };
    const known = { orders: { name: 'orders', groups: [] } };
    const refusals = [
      told(await ask(await compile({}, {}))),
      told(await ask(await compile(BY_NAME, { known: {} }))),
      told(await ask(await compile(BY_NAME, { known: { orders: 'disabled' } }))),
      told(await ask(await compile(BY_NAME, { known, more: { revocations: revoked } }))),
      told(
        await ask(
          await compile(BY_NAME, { known, more: { revocations: { ...none, hasConsumer: () => true } } }),
        ),
      ),
      told(
        await ask(
          await compile(
            {},
            { credentials: { [`mtls:${CERTIFICATE.thumbprint}`]: { ...MATCH, expiresAtMs: 1 } } },
          ),
        ),
      ),
      told(
        await ask(await compile(BY_NAME, { known }), clientCertificate({ ...CERTIFICATE, expiresAtMs: 1 })),
      ),
    ];
    for (const { error } of refusals) assert.deepEqual(error, refusals[0].error);
    assert.equal(new Set(refusals.map(({ reason }) => reason)).size, 6);
  });

  it('notices that a kept connection’s certificate expires', async () => {
    const policy = await compile(BY_NAME, { known: { orders: { name: 'orders', groups: [] } } });
    const { expiresAtMs } = CERTIFICATE;
    assert.equal((await ask(policy, CERTIFICATE, expiresAtMs - 1)).decision.kind, 'continue');
    assert.equal(told(await ask(policy, CERTIFICATE, expiresAtMs)).error.code, 'invalid-credential');
  });

  it('notices a consumer that changes, is disabled or revoked under a kept connection', async () => {
    const known: Record<string, { name: string; groups: string[]; id?: string } | 'disabled'> = {
      orders: { name: 'orders', groups: ['partners'] },
    };
    let isRevoked = false;
    const revocations = {
      hasCredential: (id: string) => isRevoked && id === CERTIFICATE.thumbprint,
      hasConsumer: () => false,
      hasToken: () => false,
      version: 0,
    };
    const policy = await compile(BY_NAME, { known, more: { revocations } });
    const first = await ask(policy);
    assert.deepEqual(first.identity, {
      consumer: 'orders',
      groups: ['partners', 'devices'],
      scopes: [],
      claims: {},
      credential: { id: CERTIFICATE.thumbprint, kind: 'mtls' },
    });
    assert.equal((await ask(policy)).identity, first.identity);
    known.orders = { name: 'orders', id: '42', groups: [] };
    const second = await ask(policy);
    assert.deepEqual([second.identity?.consumerId, second.identity?.groups], ['42', ['devices']]);
    known.orders = 'disabled';
    assert.equal((await ask(policy)).decision.kind, 'reject');
    known.orders = { name: 'orders', groups: [] };
    assert.equal((await ask(policy)).decision.kind, 'continue');
    isRevoked = true;
    assert.equal((await ask(policy)).decision.kind, 'reject');
  });

  it('asks the guard before it looks, and tells it of no certificate, which nobody can guess', async () => {
    const log: string[] = [];
    let isStopped = false;
    const { decision: refused } = await ask(await compile({}, {}));
    for (const isLater of [false, true]) {
      const answer = () => (isStopped ? refused : undefined);
      const guard = {
        check: () => {
          log.push('check');
          return isLater ? Promise.resolve(answer()) : answer();
        },
        failed: () => {
          log.push('failed');
          return isLater ? Promise.resolve() : undefined;
        },
      };
      const policy = await compile(BY_NAME, {
        known: { orders: { name: 'orders', groups: [] } },
        more: { guard },
      });
      const steps = async (certificate = CERTIFICATE) => {
        log.length = 0;
        const { decision } = await ask(policy, certificate);
        return [...log, decision.kind];
      };
      isStopped = false;
      assert.deepEqual(await steps(), ['check', 'continue']);
      assert.deepEqual(await steps(clientCertificate()), ['check', 'reject']);
      assert.deepEqual(await steps(clientCertificate({ commonName: 'nobody' })), ['check', 'reject']);
      assert.deepEqual(await steps(clientCertificate({ expiresAtMs: 1 })), ['check', 'reject']);
      isStopped = true;
      assert.deepEqual(await steps(), ['check', 'reject']);
      log.length = 0;
      await policy.request?.(policyContext());
      assert.deepEqual(log, [], 'who presents nothing guesses nothing');
    }
  });

  it('makes no promise where the guard makes none', async () => {
    const policy = await compile({}, { credentials: { [`mtls:${CERTIFICATE.thumbprint}`]: MATCH } });
    for (const certificate of [CERTIFICATE, clientCertificate({ thumbprint: 'x' })]) {
      assert.ok(!(policy.request?.(policyContext({ certificate })) instanceof Promise));
    }
  });

  it('vouches for the headers it tells the upstream in', async () => {
    assert.deepEqual((await compile({}, {})).vouchesFor, []);
    const policy = await compile({ forward: { subject: 'X-Client-Subject', thumbprint: 'X-Print' } }, {});
    assert.deepEqual(policy.vouchesFor, ['x-client-subject', 'x-print']);
  });
});
