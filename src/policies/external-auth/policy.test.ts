import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Answer,
  ask,
  compile,
  failureOf,
  judge,
  SERVICE_URL,
  Service,
  told,
} from '../../../test/fixtures/asked-service.ts';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { bodyView, type ContextOptions, policyContext } from '../../../test/fixtures/policy-context.ts';
import { NetworkError, PolicyFailure } from '../../errors.ts';
import { externalAuth } from './policy.ts';
import type { ExternalAuthConfig } from './schema.ts';

runPolicyCases(externalAuth, new URL('cases.json', import.meta.url));

describe('external-auth decides nothing', () => {
  const table: readonly (readonly [
    name: string,
    answer: Service['answer'],
    config?: Partial<ExternalAuthConfig>,
  ])[] = [
    ['an error of the service', { status: 500 }],
    ['a redirect', { status: 302, headers: ['Location', 'http://elsewhere.test/'] }],
    ['not found', { status: 404 }],
    ['too many requests', { status: 429 }],
    ['envoy: an error of the service', { status: 503, body: 'x' }, { mode: 'envoy' }],
    ['envoy: accepted, which Envoy does not take for a yes', { status: 202 }, { mode: 'envoy' }],
    ['an outage', () => Promise.reject(new NetworkError('timeout', 'auth.test did not answer in time'))],
    ['a defect of ours', () => Promise.reject(new TypeError('top-secret'))],
    [
      'a header to be sent on, twice',
      { status: 200, headers: ['X-User', 'ann', 'x-user', 'admin'] },
      { upstreamHeaders: ['X-User'] },
    ],
    [
      'a line break in a header to be sent on',
      { status: 200, headers: ['X-User', 'ann\r\nX-Admin: 1'] },
      { upstreamHeaders: ['X-User'] },
    ],
    [
      'a line break in a header for the client',
      { status: 403, headers: ['X-Note', 'a\nSet-Cookie: b=1'] },
      { clientHeaders: ['X-Note'] },
    ],
    [
      'envoy: a NUL in its content type',
      { status: 403, headers: ['Content-Type', 'a\0'] },
      { mode: 'envoy' },
    ],
    ['nobody named where callers are', { status: 200 }, { identity: { consumer: 'X-User' } }],
    ['an empty name', { status: 200, headers: ['X-User', ''] }, { identity: { consumer: 'X-User' } }],
    [
      'two names',
      { status: 200, headers: ['X-User', 'ann', 'X-User', 'ben'] },
      { identity: { consumer: 'X-User' } },
    ],
    [
      'a name of bytes that are no text',
      { status: 200, headers: ['X-User', 'a\xff'] },
      { identity: { consumer: 'X-User' } },
    ],
    [
      'scopes that would break a challenge',
      { status: 200, headers: ['X-User', 'ann', 'X-Scopes', 'a"b'] },
      { identity: { consumer: 'X-User', scopes: 'X-Scopes' } },
    ],
  ];
  for (const [name, answer, config] of table) {
    it(name, async () => {
      const { rejection, message } = await failureOf(ask(answer, config));
      assert.equal(rejection.code, 'identity-unavailable');
      assert.equal(rejection.status, 503);
      assert.doesNotMatch(message, /top-secret|admin|ann/);
    });
  }

  it('and removes what only the service may say all the same, should the request go on', async () => {
    const context = policyContext({ network: new Service({ status: 500 }), headers: { 'x-user': 'admin' } });
    const policy = compile({
      upstreamHeaders: ['X-User'],
      identity: { consumer: 'X-Who', groups: 'X-Groups' },
    });
    await failureOf(judge(policy, context));
    assert.deepEqual(context.recorded, [
      ['removeRequestHeader', 'x-user'],
      ['removeRequestHeader', 'x-who'],
      ['removeRequestHeader', 'x-groups'],
    ]);
    assert.deepEqual(policy.vouchesFor, ['x-user', 'x-who', 'x-groups']);
  });
});

describe('external-auth refuses', () => {
  const table: readonly (readonly [
    name: string,
    answer: Answer,
    config: Partial<ExternalAuthConfig>,
    expected: readonly unknown[],
  ])[] = [
    ['401 without a challenge', { status: 401 }, {}, ['unauthenticated', 401]],
    [
      '401 with challenges',
      {
        status: 401,
        headers: ['WWW-Authenticate', 'Basic realm="a"', 'www-authenticate', 'Bearer', 'X-A', '1'],
      },
      {},
      ['unauthenticated', 401, 'www-authenticate', 'Basic realm="a"', 'www-authenticate', 'Bearer'],
    ],
    [
      '403 without its challenge',
      { status: 403, headers: ['WWW-Authenticate', 'Basic'] },
      {},
      ['forbidden', 403],
    ],
    [
      'headers for the client, others never',
      {
        status: 403,
        headers: ['X-A', '1', 'X-B', '2', 'Connection', 'close', 'Set-Cookie', 'a', 'Set-Cookie', 'b'],
      },
      { clientHeaders: ['Set-Cookie', 'X-A'] },
      ['forbidden', 403, 'set-cookie', 'a', 'set-cookie', 'b', 'x-a', '1'],
    ],
    [
      'envoy: a redirect to a login',
      { status: 302, headers: ['Location', 'https://login.test/', 'Set-Cookie', 'a=1'] },
      { mode: 'envoy' },
      ['forbidden', 302, 'location', 'https://login.test/'],
    ],
    ['envoy: any other refusal', { status: 429 }, { mode: 'envoy' }, ['forbidden', 429]],
    ['envoy: not found', { status: 404 }, { mode: 'envoy' }, ['forbidden', 404]],
  ];
  for (const [name, answer, config, expected] of table) {
    it(name, async () => {
      const { decision } = await ask(answer, config);
      assert.deepEqual(told(decision), expected);
    });
  }

  it('in the words of the service with mode envoy, and in our own with nginx', async () => {
    const answer = { status: 403, headers: ['Content-Type', 'text/plain'], body: 'go away' };
    const { decision } = await ask(answer, { mode: 'envoy' });
    assert.ok(decision.kind === 'reject' && decision.error.body !== undefined);
    assert.equal(decision.error.body.type, 'text/plain');
    assert.equal(Buffer.from(decision.error.body.bytes).toString(), 'go away');
    const { decision: ours } = await ask(answer);
    assert.ok(ours.kind === 'reject' && ours.error.body === undefined);
  });

  it('who presents something wrong otherwise than who presents nothing', async () => {
    const wrong = { headers: { authorization: 'Basic wrong' } };
    const challenge = { status: 401, headers: ['WWW-Authenticate', 'Basic'], body: 'who?' };
    const answered = [401, 'www-authenticate', 'Basic'];
    for (const mode of ['nginx', 'envoy'] as const) {
      const codeOf = async (config: Partial<ExternalAuthConfig>, options: ContextOptions) =>
        told((await ask(challenge, { mode, ...config }, options)).decision);
      assert.deepEqual(await codeOf({}, wrong), ['invalid-credential', ...answered]);
      assert.deepEqual(await codeOf({}, { headers: { cookie: 'old=1' } }), ['unauthenticated', ...answered]);
      // What the service is not sent, it says nothing of.
      assert.deepEqual(await codeOf({ requestHeaders: ['cookie'] }, wrong), ['unauthenticated', ...answered]);
    }
    const { decision } = await ask(challenge, { mode: 'envoy' }, wrong);
    assert.ok(
      decision.kind === 'reject' && Buffer.from(decision.error.body?.bytes ?? '').toString() === 'who?',
    );
  });

  it('a caller whose consumer is disabled, or not declared where it must be', async () => {
    const answer = { status: 200, headers: ['X-User', 'ann'] };
    const identity = { consumer: 'X-User', declared: true };
    const known = { ann: 'disabled' } as const;
    for (const deps of [{ known }, {}]) {
      const { decision, context } = await ask(answer, { identity }, {}, deps);
      assert.deepEqual(told(decision), ['forbidden', 403]);
      assert.equal(context.facts.identity, undefined);
    }
  });

  it('who guessed too often, before the service is asked; each wrong credential is counted', async () => {
    const failures: string[] = [];
    const more = {
      guard: {
        check: () =>
          failures.length >= 2 ? { kind: 'reject' as const, error: failure.rejection } : undefined,
        failed: (c: { request: { id: string } }) => void failures.push(c.request.id),
      },
    };
    const failure = new PolicyFailure('too-many-failures', '', '');
    const service = new Service({ status: 401 });
    const policy = compile({ cache: { ttl: '1m' } }, { more });
    const present = (headers: Record<string, string>) =>
      judge(policy, policyContext({ network: service, headers }));
    // A cookie that is over is no guess.
    for (let i = 0; i < 3; i++) await present({ cookie: 'old=1' });
    assert.deepEqual(failures, []);
    for (let i = 0; i < 2; i++) await present({ authorization: 'Basic wrong' });
    const asked = service.asked.length;
    assert.deepEqual(told(await present({ authorization: 'Basic right' })), ['too-many-failures', 429]);
    assert.equal(service.asked.length, asked);
  });

  it('nobody for a credential that the service is not sent: it is another policy’s', async () => {
    const guard = { check: () => assert.fail('checked'), failed: () => assert.fail('counted') };
    const config = { requestHeaders: ['cookie'] };
    const { decision } = await ask(
      { status: 401 },
      config,
      { headers: { authorization: 'Bearer x' } },
      { more: { guard } },
    );
    assert.deepEqual(told(decision), ['unauthenticated', 401]);
  });
});

describe('external-auth lets on', () => {
  it('with the headers named, and removes the client’s own where the answer has none', async () => {
    const { decision, context } = await ask(
      { status: 204, headers: ['X-User', 'ann', 'X-Other', 'x', 'Set-Cookie', 'a=1', 'Connection', 'close'] },
      { upstreamHeaders: ['X-User', 'Authorization'], clientHeaders: ['set-cookie'] },
      { headers: { 'x-user': 'admin', authorization: 'Bearer client' } },
    );
    assert.deepEqual(told(decision), ['continue']);
    assert.deepEqual(context.recorded, [
      ['removeRequestHeader', 'x-user'],
      ['removeRequestHeader', 'authorization'],
      ['setRequestHeader', 'x-user', 'ann'],
      ['appendResponseHeader', 'set-cookie', 'a=1'],
    ]);
    assert.equal(context.facts.identity, undefined);
  });

  it('as the consumer that the answer names, with its groups and scopes', async () => {
    const headers = ['X-User', 'j\xc3\xb6rg', 'X-Groups', ' staff, readers,', 'X-Scopes', 'a b'];
    const identity = { consumer: 'X-User', groups: 'X-Groups', scopes: 'X-Scopes', prefix: 'sso:' };
    const known = { 'sso:jörg': { name: 'sso:jörg', id: '7', groups: ['all'] } };
    const { context } = await ask({ status: 200, headers }, { identity }, {}, { known });
    const found = context.facts.identity;
    assert.deepEqual(
      [found?.consumer, found?.consumerId, found?.groups, found?.scopes],
      ['sso:jörg', '7', ['staff', 'readers', 'all'], ['a', 'b']],
    );
  });

  it('provides an identity only where the answer names one', () => {
    const { provides, body } = externalAuth;
    assert.ok(typeof provides === 'function' && typeof body === 'function');
    assert.deepEqual(provides({ url: SERVICE_URL }), []);
    assert.deepEqual(provides({ url: SERVICE_URL, identity: { consumer: 'X-User' } }), ['identity']);
    assert.equal(body({ url: SERVICE_URL }), 'none');
    assert.equal(body({ url: SERVICE_URL, body: '1kB' }), 'buffer');
  });
});

describe('the service is sent', () => {
  const request: ContextOptions = {
    method: 'PUT',
    scheme: 'https',
    host: 'api.test:8443',
    path: '/orders/1',
    query: 'token=a%20b',
    client: '198.51.100.7',
    headers: [
      ...[
        'Authorization',
        'Bearer a',
        'Cookie',
        'c=1',
        'X-Tenant',
        't',
        'X-Secret',
        's',
        'Host',
        'evil.test',
      ],
      ...['X-Forwarded-For', '10.0.0.1', 'X-Original-URI', '/public', 'X-Forwarded-Uri', '/public'],
    ],
  };

  it('in mode nginx: the URL as it is, and what is allowed', async () => {
    const { service } = await ask({ status: 200 }, { timeout: '700ms' }, request);
    const [{ url, method, body, timeoutMs, maxBytes }] = service.asked;
    assert.deepEqual([url, method, body, timeoutMs, maxBytes], [SERVICE_URL, 'GET', undefined, 700, 65_536]);
    assert.deepEqual(Object.fromEntries(service.fields), {
      Authorization: 'Bearer a',
      Cookie: 'c=1',
      'X-Original-Method': 'PUT',
      'X-Original-URI': '/orders/1?token=a%20b',
      'X-Forwarded-Method': 'PUT',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'api.test:8443',
      'X-Forwarded-Uri': '/orders/1?token=a%20b',
      'X-Forwarded-For': '198.51.100.7',
      'X-Request-Id': 'req-1',
    });
    assert.equal(service.fields.size, 10, 'each once: the client’s own are left out');
  });

  it('in mode envoy: method, host, path and query of the request', async () => {
    const { service } = await ask(
      { status: 200 },
      { mode: 'envoy', url: 'http://auth.test:9000/check/', requestHeaders: ['X-Tenant'] },
      request,
    );
    const [{ url, method }] = service.asked;
    assert.deepEqual([url, method], ['http://auth.test:9000/check/orders/1?token=a%20b', 'PUT']);
    assert.equal(service.fields.get('host'), 'api.test:8443');
    assert.equal(service.fields.get('x-tenant'), 't');
    assert.equal(service.fields.has('authorization'), false);
  });

  it('never by a URL that the request chose', async () => {
    for (const path of ['*', '//evil.test/', '/@evil.test', '/..;/', '/\\evil.test', '/%2f%2fevil.test']) {
      const { service } = await ask(
        { status: 200 },
        { mode: 'envoy', url: 'http://auth.test' },
        { path, query: '@evil.test/' },
      );
      assert.equal(new URL(service.asked[0].url).host, 'auth.test', path);
    }
  });

  it('the body with its type, where that is asked for', async () => {
    const service = new Service({ status: 200 });
    const headers = { 'content-type': 'text/plain', 'content-length': '4', 'transfer-encoding': 'chunked' };
    const context = policyContext({ network: service, method: 'POST', headers });
    const policy = compile({ body: '4B', upstreamHeaders: ['X-User'] });
    assert.deepEqual(told(await judge(policy, context)), ['continue']);
    assert.equal(service.asked.length, 0, 'not before it is there');
    assert.deepEqual(context.recorded, [['removeRequestHeader', 'x-user']]);
    const decision = await policy.requestBody?.(context, bodyView('body'));
    assert.equal(decision?.kind, 'continue');
    const [{ method, body }] = service.asked;
    assert.deepEqual([method, Buffer.from(body ?? '').toString()], ['POST', 'body']);
    assert.equal(service.fields.get('content-type'), 'text/plain');
    assert.equal(service.fields.has('content-length') || service.fields.has('transfer-encoding'), false);
  });
});
