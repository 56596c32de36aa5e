import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleDeps, documentWith, issuesOf, parsed, probePolicies } from '../../../test/fixtures/config.ts';
import type { PolicyDefinition, RecordingPlan } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { Type } from '../../lib/schema.ts';
import { POLICIES } from '../../policies/index.ts';
import { createBundle } from '../bundle.ts';
import { recordingOf } from './recording.ts';

const ENVIRONMENT = { SECRET: 'a-secret-of-thirty-two-characters-and-more' };

async function planOf(document: unknown, definitions = POLICIES): Promise<RecordingPlan | undefined> {
  const probe = { ...probePolicies(), definitions };
  const { snapshot } = await createBundle(parsed(document), bundleDeps(probe, {}, ENVIRONMENT));
  await snapshot.dispose();
  return snapshot.recording;
}

const withPolicies = (...policies: unknown[]) => documentWith({}, { policies });
const withRecording = (recording: unknown) => documentWith({ recording });

describe('what a document says of records', () => {
  it('is so by default', async () => {
    assert.deepEqual(await planOf(documentWith()), {
      requestsPerSecond: 200,
      bodyBytes: 16_000,
      keepMs: 86_400_000,
      maxBytes: 256_000_000,
      credentials: { headers: [], query: [] },
    });
  });

  it('is what is written', async () => {
    const written = { requests: 5, bodies: '0B', keep: '2h', maxSize: '1GB' };
    const plan = await planOf(withRecording(written));
    assert.deepEqual(
      [plan?.requestsPerSecond, plan?.bodyBytes, plan?.keepMs, plan?.maxBytes],
      [5, 0, 7_200_000, 1e9],
    );
    assert.deepEqual(recordingOf({ recording: written }), plan);
  });

  it('may be that there are none', async () => {
    assert.equal(await planOf(withRecording('off')), undefined);
    assert.equal(recordingOf({ recording: 'off' }), undefined);
  });

  const faults: readonly (readonly [string, unknown, string])[] = [
    ['a long body', { bodies: '257kB' }, 'recording.bodies'],
    ['no room', { maxSize: '999kB' }, 'recording.maxSize'],
    ['no time', { keep: '59s' }, 'recording.keep'],
    ['nothing in a second', { requests: 0 }, 'recording.requests'],
    ['too many in a second', { requests: 10_001 }, 'recording.requests'],
    ['a name that is none', { keeps: '1h' }, 'recording.keeps'],
    ['a word that is none', 'on', 'recording'],
  ];
  for (const [name, recording, path] of faults) {
    it(`is refused with ${name}`, async () => {
      const issues = await issuesOf(() => planOf(withRecording(recording)));
      assert.ok(
        issues.some((issue) => issue.path === path),
        JSON.stringify(issues),
      );
    });
  }
});

describe('where a document has its callers’ credentials', () => {
  const client = { clientId: 'app', clientSecret: 'env:SECRET' };
  const token = { issuer: 'login', audience: 'a', keys: [{ secret: 'env:SECRET' }] };
  const endpoint = 'http://127.0.0.1:1';
  const cases: readonly (readonly [string, unknown, readonly string[], readonly string[]])[] = [
    ['api-key', { 'api-key': {} }, ['x-api-key'], []],
    ['api-key', { 'api-key': { header: 'X-Who', query: 'k', cookie: 'c' } }, ['x-who'], ['k']],
    ['api-key', { 'api-key': { header: false, query: 'k' } }, [], ['k']],
    ['basic-auth', { 'basic-auth': {} }, ['authorization'], []],
    ['jwt', { jwt: token }, ['authorization', 'dpop'], []],
    ['jwt', { jwt: { ...token, header: 'X-T', query: 't' } }, ['authorization', 'x-t', 'dpop'], ['t']],
    [
      'oauth2-introspection',
      { 'oauth2-introspection': { endpoint, ...client, audience: 'a', header: 'X-T', query: 't' } },
      ['authorization', 'x-t'],
      ['t'],
    ],
    ['hmac-signature', { 'hmac-signature': {} }, ['signature', 'signature-input'], []],
    [
      'external-auth',
      {
        'external-auth': {
          url: endpoint,
          identity: { consumer: 'X-User' },
          requestHeaders: ['X-Session', 'Accept', 'User-Agent'],
        },
      },
      ['x-session'],
      [],
    ],
    ['external-auth', { 'external-auth': { url: endpoint, body: '1kB' } }, ['authorization', 'cookie'], []],
    [
      'oidc-login',
      {
        'oidc-login': {
          issuer: 'https://login.test',
          publicUrl: 'https://app.test',
          session: { secrets: ['env:SECRET'] },
          ...client,
        },
      },
      [],
      ['code', 'state'],
    ],
    ['mtls', { mtls: {} }, [], []],
    ['anonymous', { anonymous: { consumer: 'nobody' } }, [], []],
    [
      'any-of',
      { 'any-of': [{ 'api-key': { header: 'X-One', query: 'k' } }, { 'basic-auth': {} }] },
      ['x-one', 'authorization'],
      ['k'],
    ],
    [
      'all-of',
      { 'all-of': [{ 'any-of': [{ 'api-key': { header: 'X-One' } }] }, { 'api-key': { header: 'X-Two' } }] },
      ['x-one', 'x-two'],
      [],
    ],
    ['api-key', { 'api-key': { header: 'X-Who' }, mode: 'shadow' }, ['x-who'], []],
    ['api-key', { 'api-key': { header: 'X-Who' }, when: 'request.method == "GET"' }, ['x-who'], []],
  ];
  for (const [name, policy, headers, query] of cases) {
    it(`${name}: ${JSON.stringify(policy).slice(0, 90)}`, async () => {
      const plan = await planOf(withPolicies(policy));
      assert.deepEqual(plan?.credentials, { headers, query });
    });
  }

  it('is all of it, each once', async () => {
    const plan = await planOf(
      documentWith(
        { listeners: [{ name: 'public', address: '127.0.0.1:8080', policies: [{ 'api-key': {} }] }] },
        { policies: [{ 'api-key': {} }, { 'basic-auth': {} }] },
      ),
    );
    assert.deepEqual(plan?.credentials.headers, ['x-api-key', 'authorization']);
  });

  it('is said by every policy that proves who calls', () => {
    const proving = POLICIES.filter(({ provides = [] }) =>
      typeof provides === 'function' ? true : provides.includes('identity'),
    );
    const told = new Set(cases.map(([name]) => name));
    assert.deepEqual(
      proving.map(({ name }) => name).filter((name) => !told.has(name)),
      [],
    );
  });

  const silent: PolicyDefinition = {
    name: 'silent',
    summary: 'Proves who calls, and does not say how.',
    schema: Type.Object({}, { additionalProperties: false }),
    body: 'none',
    provides: ['identity'],
    compile: () => ({}),
  };
  for (const [where, policy] of [
    ['by itself', { silent: {} }],
    ['among others', { 'any-of': [{ 'api-key': {} }, { silent: {} }] }],
  ] as const) {
    it(`a policy that does not say is refused, ${where}`, async () => {
      const refused = planOf(withPolicies(policy), [...POLICIES, silent]);
      await assert.rejects(
        refused,
        (error) => error instanceof InternalError && /silent/.test(error.message),
      );
    });
  }
});
