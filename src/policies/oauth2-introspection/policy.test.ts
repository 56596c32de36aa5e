import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import {
  type ContextOptions,
  compileDeps,
  type DepsOptions,
  policyContext,
} from '../../../test/fixtures/policy-context.ts';
import { type RecordingGuard, recordingGuard } from '../../../test/fixtures/recording-guard.ts';
import type { ClientCertificate, Decision, Network, OutboundRequest, Policy } from '../../contract/index.ts';
import { NetworkError, PolicyFailure } from '../../errors.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { offlineResources, ResourcePool } from '../../outbound/index.ts';
import { oauth2Introspection } from './policy.ts';
import type { IntrospectionConfig } from './schema.ts';

runPolicyCases(oauth2Introspection, new URL('cases.json', import.meta.url));

type Claims = Readonly<Record<string, unknown>>;

const NOW_MS = Date.UTC(2026, 10, 23);
const NOW = NOW_MS / 1000;
const ACTIVE: Claims = { active: true, token_type: 'Bearer', sub: 'ann', aud: 'orders' };
const DOWN = new NetworkError('timeout', 'login.test did not answer in time');

/** A server that knows tokens by what they are; null for an outage, a text for whatever it answers instead. */
class Server implements Network {
  readonly asked: string[] = [];
  readonly requests: OutboundRequest[] = [];
  tokens: Record<string, Claims | string | null>;
  /** Answers wait for it. */
  gate: Promise<void> | undefined = undefined;

  constructor(tokens: Server['tokens'] = {}) {
    this.tokens = tokens;
  }

  async send(request: OutboundRequest) {
    this.requests.push(request);
    const token = new URLSearchParams(String(request.body)).get('token') ?? '';
    this.asked.push(token);
    await this.gate;
    const known = Object.hasOwn(this.tokens, token) ? this.tokens[token] : { active: false };
    if (known === null) throw DOWN;
    const body = typeof known === 'string' ? known : JSON.stringify(known);
    return {
      status: 200,
      headers: new HeaderList(['Content-Type', 'application/json']),
      body: Buffer.from(body),
    };
  }
}

const CONFIG: IntrospectionConfig = {
  endpoint: 'https://login.test/introspect',
  clientId: 'gw',
  clientSecret: 'env:S',
  audience: 'orders',
};

function compile(more: Partial<IntrospectionConfig> = {}, deps: DepsOptions = {}): Policy {
  const config = { ...CONFIG, ...more };
  const policy = oauth2Introspection.compile(
    config,
    compileDeps({ secrets: { 'env:S': 'top-secret' }, ...deps }),
  );
  assert.ok(!(policy instanceof Promise));
  return policy;
}

const present = (server: Server, token: string, more: ContextOptions = {}) =>
  policyContext({ headers: { authorization: `Bearer ${token}` }, network: server, nowMs: NOW_MS, ...more });

async function ask(policy: Policy, context: ReturnType<typeof present>): Promise<Decision> {
  const decision = await policy.request?.(context);
  assert.ok(decision);
  return decision;
}

async function failureOf(work: Promise<unknown>): Promise<PolicyFailure> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof PolicyFailure, String(error));
    return error;
  }
  return assert.fail('was decided');
}

const codeOf = (decision: Decision) => (decision.kind === 'reject' ? decision.error.code : decision.kind);

// Loaded with the first question: no test should be about how long that takes.
before(() => import('oauth4webapi'));

describe('a token is refused', () => {
  const CERTIFICATE: ClientCertificate = {
    subject: 'CN=a',
    commonName: 'a',
    issuer: 'CN=ca',
    serial: '1',
    names: { dns: [], uris: [], emails: [] },
    thumbprint: 'A'.repeat(43),
    expiresAtMs: NOW_MS,
  };
  const bound = { 'x5t#S256': 'B'.repeat(43) };
  const table: readonly (readonly [
    name: string,
    claims: Claims,
    config?: Partial<IntrospectionConfig>,
    context?: ContextOptions,
  ])[] = [
    ['that nobody knows', { active: false }],
    ['that is not active, whatever else is said of it', { ...ACTIVE, active: false }],
    ['of another audience', { ...ACTIVE, aud: 'billing' }],
    ['of no audience', { ...ACTIVE, aud: undefined }],
    ['of an audience that is no name', { ...ACTIVE, aud: { orders: true } }],
    ['of another issuer', { ...ACTIVE, iss: 'https://evil.test' }, { issuer: 'https://login.test' }],
    ['of an issuer that is no text', { ...ACTIVE, iss: null }, { issuer: 'https://login.test' }],
    ['that has expired though it is called active', { ...ACTIVE, exp: NOW - 31 }],
    ['with an end that is no time', { ...ACTIVE, exp: 'tomorrow' }],
    ['that is not good yet', { ...ACTIVE, nbf: NOW + 31 }],
    ['of no type', { ...ACTIVE, token_type: undefined }],
    ['of another type', { ...ACTIVE, token_type: 'DPoP' }],
    ['of a type that is no text', { ...ACTIVE, token_type: 1 }],
    ['that is for refreshing', { ...ACTIVE, token_use: 'refresh_token' }],
    ['of nobody', { ...ACTIVE, sub: undefined }],
    ['whose groups cannot be read', { ...ACTIVE, groups: { admin: true } }],
    ['bound to a key', { ...ACTIVE, cnf: { jkt: 'A'.repeat(43) } }],
    ['bound to something unknown', { ...ACTIVE, cnf: { other: 'x' } }],
    ['bound to nothing that can be read', { ...ACTIVE, cnf: null }],
    ['bound to a certificate, without one', { ...ACTIVE, cnf: bound }],
    ['bound to another certificate', { ...ACTIVE, cnf: bound }, {}, { certificate: CERTIFICATE }],
    [
      'bound to the right certificate and to a key',
      { ...ACTIVE, cnf: { 'x5t#S256': CERTIFICATE.thumbprint, jkt: 'A'.repeat(43) } },
      {},
      { certificate: CERTIFICATE },
    ],
    ['bound to nothing where it must be', ACTIVE, { mtls: 'required' }, { certificate: CERTIFICATE }],
    ['of a consumer that is not declared', ACTIVE, { claims: { declared: true } }],
  ];
  for (const [name, claims, config, context] of table) {
    it(name, async () => {
      const server = new Server({ t: claims });
      const policy = compile(config);
      for (const _ of ['asked', 'remembered']) {
        const c = present(server, 't', context);
        const decision = await ask(policy, c);
        assert.equal(codeOf(decision), 'invalid-credential');
        assert.equal(c.facts.identity, undefined);
        assert.deepEqual(decision.kind === 'reject' && decision.error.headers, [
          'WWW-Authenticate',
          'Bearer realm="api", error="invalid_token"',
        ]);
      }
      assert.equal(server.asked.length, 1);
    });
  }

  it('that lacks a scope, which is told', async () => {
    const policy = compile({ scopes: ['orders.read', 'orders.write'] });
    const decision = await ask(policy, present(new Server({ t: { ...ACTIVE, scope: 'orders.read' } }), 't'));
    assert.ok(decision.kind === 'reject');
    assert.deepEqual([decision.error.code, decision.error.status], ['insufficient-scope', 403]);
    assert.match(decision.error.headers[1], /scope="orders.read orders.write", error="insufficient_scope"$/);
  });

  it('that is too long: nobody is asked, wherever it is', async () => {
    const server = new Server();
    const long = 'a'.repeat(20_000);
    for (const headers of [{ authorization: `Bearer ${long}` }, { 'x-token': long }])
      assert.equal(
        codeOf(await ask(compile({ header: 'X-Token' }), present(server, '', { headers }))),
        'invalid-credential',
      );
    assert.equal(server.asked.length, 0);
  });

  it('with one text for all, and nothing of it in what is told', async () => {
    const server = new Server({ 'top-secret-1': { ...ACTIVE, exp: 1 } });
    const policy = compile();
    const told = [];
    for (const token of ['top-secret-1', 'top-secret-2', 'top secret 3']) {
      const decision = await ask(policy, present(server, token));
      assert.ok(decision.kind === 'reject');
      assert.doesNotMatch(JSON.stringify(decision), /top.secret/);
      told.push({ ...decision.error, reason: '' });
    }
    assert.deepEqual(told[0], told[1]);
    assert.deepEqual(told[0], told[2]);
  });
});

describe('a token is taken', () => {
  const thumbprint = 'A'.repeat(43);
  const certificate: ClientCertificate = {
    ...{ subject: '', commonName: '', issuer: '', serial: '', expiresAtMs: 0, thumbprint },
    names: { dns: [], uris: [], emails: [] },
  };
  const table: readonly (readonly [
    name: string,
    claims: Claims,
    config?: Partial<IntrospectionConfig>,
    context?: ContextOptions,
  ])[] = [
    ['as it is', ACTIVE],
    ['of one of several audiences', { ...ACTIVE, aud: ['x', 'stock'] }, { audience: ['orders', 'stock'] }],
    ['of any audience where that is said', { ...ACTIVE, aud: undefined }, { audience: 'any' }],
    ['within the tolerance of clocks', { ...ACTIVE, exp: NOW - 29, nbf: NOW + 29 }],
    ['of the issuer named', { ...ACTIVE, iss: 'https://login.test' }, { issuer: 'https://login.test' }],
    ['of no issuer: the server is known', ACTIVE, { issuer: 'https://login.test' }],
    ['of no type where that is said', { ...ACTIVE, token_type: undefined }, { types: ['none'] }],
    ['of a type in any case', { ...ACTIVE, token_type: 'bEARER', token_use: 'access_token' }],
    ['with all its scopes', { ...ACTIVE, scope: 'b a c' }, { scopes: ['a', 'b'] }],
    [
      'bound to the certificate',
      { ...ACTIVE, cnf: { 'x5t#S256': thumbprint } },
      { mtls: 'required' },
      { certificate },
    ],
  ];
  for (const [name, claims, config, context] of table) {
    it(name, async () => {
      const c = present(new Server({ t: claims }), 't', context);
      assert.equal(codeOf(await ask(compile(config), c)), 'continue');
      assert.equal(c.facts.identity?.consumer, 'ann');
      assert.deepEqual(c.recorded, []);
    });
  }

  it('from where it is looked for, and kept from the upstream where that is said', async () => {
    const server = new Server({ t: ACTIVE });
    const places = { header: 'X-Token', cookie: 'sid', query: 'tok', hide: true };
    const table: readonly (readonly [ContextOptions, readonly string[]])[] = [
      [{}, ['removeRequestHeader', 'authorization']],
      [{ headers: { 'x-token': 't' } }, ['removeRequestHeader', 'x-token']],
      [{ headers: { cookie: 'a=1; sid=t' } }, ['removeRequestCookie', 'sid']],
      [{ headers: {}, query: 'a=1&tok=t' }, ['removeQueryParameter', 'tok']],
    ];
    for (const [context, edit] of table) {
      const c = present(server, 't', context);
      assert.equal(codeOf(await ask(compile(places), c)), 'continue');
      assert.deepEqual(c.recorded, [edit]);
    }
  });

  it('by a question with the token and who asks, and nothing else', async () => {
    const server = new Server({ t: ACTIVE });
    await ask(compile({ timeout: '700ms', clientAuth: 'client-secret-post' }), present(server, 't'));
    const [{ url, method, body, timeoutMs }] = server.requests;
    assert.deepEqual([url, method, timeoutMs], ['https://login.test/introspect', 'POST', 700]);
    assert.deepEqual(Object.fromEntries(new URLSearchParams(String(body))), {
      token: 't',
      token_type_hint: 'access_token',
      client_id: 'gw',
      client_secret: 'top-secret',
    });
  });
});

describe('what can change under a remembered token', () => {
  it('its end, the consumer, a revocation: each with the next use', async () => {
    const server = new Server({ t: { ...ACTIVE, jti: 'j1', iss: 'https://login.test', exp: NOW + 10 } });
    const known: Record<string, { name: string; groups: string[] } | 'disabled'> = {};
    const revoked: string[] = [];
    const revocations = {
      hasCredential: () => false,
      hasConsumer: () => false,
      hasToken: (issuer: string, id: string) => revoked.includes(`${issuer} ${id}`),
      version: 0,
    };
    const policy = compile({ clockTolerance: '0s', cache: { ttl: '1h' } }, { known, more: { revocations } });
    const again = async (nowMs = NOW_MS) => {
      const c = present(server, 't', { nowMs });
      const decision = await ask(policy, c);
      return [codeOf(decision), c.facts.identity?.groups];
    };
    assert.deepEqual(await again(), ['continue', []]);
    known.ann = { name: 'ann', groups: ['staff'] };
    assert.deepEqual(await again(), ['continue', ['staff']]);
    known.ann = 'disabled';
    assert.deepEqual(await again(), ['invalid-credential', undefined]);
    delete known.ann;
    revoked.push('https://login.test j1');
    assert.deepEqual(await again(), ['invalid-credential', undefined]);
    revoked.pop();
    assert.deepEqual(await again(NOW_MS + 9999), ['continue', []]);
    assert.equal(server.asked.length, 1);
    // At its end the server is asked: it may have prolonged the token.
    server.tokens.t = { ...ACTIVE, exp: NOW + 20 };
    assert.deepEqual(await again(NOW_MS + 10_000), ['continue', []]);
    assert.equal(server.asked.length, 2);
    server.tokens.t = { active: false };
    assert.deepEqual(await again(NOW_MS + 20_000), ['invalid-credential', undefined]);
    assert.equal(server.asked.length, 3);
  });
});

describe('answers are kept', () => {
  it('so that a token that is known is judged at once', async () => {
    const server = new Server({ t: ACTIVE });
    const policy = compile();
    await ask(policy, present(server, 't'));
    const c = present(server, 't', { nowMs: NOW_MS + 29_999 });
    assert.ok(!(policy.request?.(c) instanceof Promise));
    assert.equal(c.facts.identity?.consumer, 'ann');
    await ask(policy, present(server, 't', { nowMs: NOW_MS + 30_000 }));
    assert.deepEqual(server.asked, ['t', 't']);
  });

  it('for one token and no other, however alike', async () => {
    const server = new Server({ t: ACTIVE, T: { ...ACTIVE, sub: 'ben' } });
    const policy = compile({ header: 'X-Token' });
    const who = async (headers: Record<string, string>) => {
      const c = present(server, '', { headers });
      const decision = await ask(policy, c);
      return c.facts.identity?.consumer ?? codeOf(decision);
    };
    for (const _ of [1, 2]) {
      assert.equal(await who({ authorization: 'Bearer t' }), 'ann');
      assert.equal(await who({ authorization: 'Bearer T' }), 'ben');
      assert.equal(await who({ 'x-token': 't=' }), 'invalid-credential');
    }
  });

  it('for a short time where a token is not active, and it can become so', async () => {
    const server = new Server();
    const policy = compile({ cache: { ttl: '1h' } });
    const again = async (ms: number) =>
      codeOf(await ask(policy, present(server, 't', { nowMs: NOW_MS + ms })));
    assert.equal(await again(0), 'invalid-credential');
    server.tokens.t = ACTIVE;
    assert.equal(await again(4999), 'invalid-credential');
    assert.equal(server.asked.length, 1);
    assert.equal(await again(5000), 'continue');
    server.tokens.t = { active: false };
    assert.equal(await again(3_604_999), 'continue');
    assert.equal(await again(3_605_000), 'invalid-credential');
  });

  it('not at all with a ttl of nothing', async () => {
    const server = new Server({ t: ACTIVE });
    const policy = compile({ cache: { ttl: '0s' } });
    for (let i = 0; i < 3; i++) assert.equal(codeOf(await ask(policy, present(server, 't'))), 'continue');
    for (let i = 0; i < 3; i++)
      assert.equal(codeOf(await ask(policy, present(server, 'x'))), 'invalid-credential');
    assert.equal(server.asked.length, 6);
  });

  it('never more than the number given, and made-up tokens drive out no good one', async () => {
    const server = new Server({ t: ACTIVE });
    const policy = compile({ cache: { maxEntries: 4 } });
    await ask(policy, present(server, 't'));
    for (let i = 0; i < 100; i++) await ask(policy, present(server, `made-up-${i}`));
    await ask(policy, present(server, 't'));
    assert.equal(server.asked.filter((token) => token === 't').length, 1);
    await ask(policy, present(server, 'made-up-0'));
    assert.equal(server.asked.filter((token) => token === 'made-up-0').length, 2);
  });

  it('for all that ask the same server alike, whatever else they ask for', async () => {
    const server = new Server({ t: { ...ACTIVE, scope: 'a' } });
    const resources = new ResourcePool({
      network: server,
      clock: { now: () => 0, monotonic: () => 0 },
      random: { hex: () => '' },
      log: { info: () => {}, warn: () => {}, error: () => {} },
      schedule: () => () => {},
    });
    const more = { more: { resources } };
    const [one, other] = [compile({}, more), compile({ scopes: ['b'] }, more)];
    assert.equal(codeOf(await ask(one, present(server, 't'))), 'continue');
    assert.equal(codeOf(await ask(other, present(server, 't'))), 'insufficient-scope');
    assert.equal(server.asked.length, 1);
    const elsewhere = compile({ endpoint: 'https://other.test/' }, more);
    await ask(elsewhere, present(server, 't'));
    assert.equal(server.asked.length, 2);
    for (const policy of [one, other, elsewhere]) await policy.dispose?.();
    assert.equal(resources.size, 0);
  });

  it('once for all who ask at the same time; a slow answer holds nobody else', async () => {
    const server = new Server({ t: ACTIVE, u: ACTIVE });
    let open = () => {};
    server.gate = new Promise((resolve) => {
      open = resolve;
    });
    const policy = compile();
    const waiting = Array.from({ length: 50 }, () => ask(policy, present(server, 't')));
    await new Promise((resolve) => setImmediate(resolve));
    server.gate = undefined;
    assert.equal(codeOf(await ask(policy, present(server, 'u'))), 'continue');
    open();
    assert.deepEqual(new Set((await Promise.all(waiting)).map(codeOf)), new Set(['continue']));
    assert.deepEqual(server.asked, ['t', 'u']);
  });
});

describe('while the server does not answer', () => {
  it('nothing is decided, and it is asked again at once when it is back', async () => {
    const server = new Server({ t: null });
    const policy = compile();
    const { rejection } = await failureOf(ask(policy, present(server, 't')));
    assert.deepEqual([rejection.code, rejection.status], ['identity-unavailable', 503]);
    assert.equal(rejection.reason, DOWN.message);
    server.tokens.t = ACTIVE;
    assert.equal(codeOf(await ask(policy, present(server, 't'))), 'continue');
  });

  it('an answer whose time is over is none, unless the document says for how long', async () => {
    const server = new Server({ t: ACTIVE });
    const [strict, lenient] = [compile(), compile({ stale: '10m' })];
    for (const policy of [strict, lenient]) await ask(policy, present(server, 't'));
    server.tokens.t = null;
    const at = (policy: Policy, ms: number) => ask(policy, present(server, 't', { nowMs: NOW_MS + ms }));
    await failureOf(at(strict, 30_000));
    const asked = server.asked.length;
    assert.equal(codeOf(await at(lenient, 30_000)), 'continue');
    // It is not waited for with every request.
    const c = present(server, 't', { nowMs: NOW_MS + 34_999 });
    assert.ok(!(lenient.request?.(c) instanceof Promise));
    assert.equal(server.asked.length, asked + 1);
    assert.equal(codeOf(await at(lenient, 629_999)), 'continue');
    await failureOf(at(lenient, 630_000));
  });

  it('an old answer is used for no token that has expired, is unknown, or was not active', async () => {
    const server = new Server({ t: { ...ACTIVE, exp: NOW + 60 } });
    const policy = compile({ stale: '10m', clockTolerance: '0s' });
    await ask(policy, present(server, 't'));
    await ask(policy, present(server, 'gone'));
    server.tokens = { t: null, gone: null, new: null };
    const at = (token: string, ms: number) => ask(policy, present(server, token, { nowMs: NOW_MS + ms }));
    assert.equal(codeOf(await at('t', 59_999)), 'continue');
    assert.equal(codeOf(await at('t', 65_000)), 'invalid-credential');
    await failureOf(at('gone', 60_000));
    await failureOf(at('new', 60_000));
  });

  it('garbage is no answer, and no old answer is lost by it', async () => {
    const server = new Server({ t: ACTIVE });
    const policy = compile({ stale: '10m' });
    await ask(policy, present(server, 't'));
    for (const garbage of ['<html>', '{"active":"true"}', '{"active":false,"active":true}', '']) {
      server.tokens = { t: garbage, x: garbage };
      assert.equal(codeOf(await ask(policy, present(server, 't', { nowMs: NOW_MS + 40_000 }))), 'continue');
      await failureOf(ask(policy, present(server, 'x')));
    }
  });

  it('offline there is nobody to ask', async () => {
    const network: Network = { send: () => Promise.reject(new NetworkError('offline', 'nobody is asked')) };
    const policy = compile({ issuer: 'https://login.test' }, { more: { resources: offlineResources() } });
    const { rejection } = await failureOf(
      ask(policy, policyContext({ headers: { authorization: 'Bearer t' }, network })),
    );
    assert.equal(rejection.code, 'identity-unavailable');
  });

  it('a defect tells nothing of the token', async () => {
    const network: Network = { send: () => Promise.reject(new TypeError('top-secret')) };
    const { message } = await failureOf(
      ask(compile(), policyContext({ headers: { authorization: 'Bearer top-secret' }, network })),
    );
    assert.doesNotMatch(message, /top-secret/);
  });
});

describe('guesses are counted', () => {
  const judge = async (guard: RecordingGuard, token: string) => {
    const server = new Server({ t: ACTIVE, old: { ...ACTIVE, exp: 1 } });
    return codeOf(await ask(compile({}, { more: { guard } }), present(server, token)));
  };
  for (const mode of ['sync', 'async'] as const) {
    it(`${mode}: a token that nobody knows or that is none, but none that was issued once`, async () => {
      const table = { 'made-up': 'check failed', 'a b': 'check failed', old: 'check', t: 'check' };
      for (const [token, calls] of Object.entries(table)) {
        const guard = recordingGuard(mode);
        await judge(guard, token);
        assert.equal(guard.calls.join(' '), calls, token);
      }
    });
  }

  it('and whoever guessed too often is refused with a good token too; who presents none is not asked', async () => {
    assert.equal(await judge(recordingGuard('refuses'), 't'), 'too-many-failures');
    const guard = recordingGuard('refuses');
    const decision = await ask(compile({}, { more: { guard } }), policyContext());
    assert.equal(codeOf(decision), 'unauthenticated');
    assert.deepEqual(guard.calls, []);
  });
});
