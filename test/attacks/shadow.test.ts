/**
 * Every way to prove who calls, in every mode, through the document's own compiler and evaluator: in shadow it judges as
 * it would in enforce, and neither refuses, nor names anybody, nor changes a byte, nor uses anything up.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  createBundle,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  secretsOf,
} from '../../src/config/index.ts';
import type { ClientCertificate, CounterState, Network, Snapshot } from '../../src/contract/index.ts';
import { evaluate } from '../../src/evaluator/index.ts';
import { fieldLines } from '../../src/http1/index.ts';
import { HeaderList } from '../../src/lib/header-list.ts';
import { parseIpAddress } from '../../src/lib/ip-address.ts';
import { runDocumentTests } from '../../src/lifecycle/index.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { createLocalCounters } from '../../src/state/index.ts';
import { documentWith, filesFrom, type Members } from '../fixtures/config.ts';
import { signatureFields } from '../fixtures/http-signature.ts';
import { NOBODY_THERE } from '../fixtures/nobody-there.ts';
import { clientCertificate } from '../fixtures/policy-context.ts';
import { sealedSession } from '../fixtures/sealed-session.ts';
import { mintSecret, proofOf, thumbprint, tokenHash, tokenKey } from '../fixtures/tokens.ts';

const NOW_MS = Date.UTC(2026, 10, 23);
const NOW = NOW_MS / 1000;
const HOST = 'api.test';
const [KEY, PASSWORD] = ['ann-key-0123456789abcdef', 'ann-password-0123456789'];
const SIGNING_SECRET = 'ann-signing-secret-0123456789abcdef';
const TOKEN_SECRET = 'token-secret-0123456789abcdef-0123456789';
const SESSION_SECRET = 'session-secret-0123456789abcdef-0123';
const ENVIRONMENT = { KEY, PASSWORD, SIGNING_SECRET, TOKEN_SECRET, SESSION_SECRET };
const CERTIFICATE = clientCertificate({ thumbprint: `${'a'.repeat(42)}A`, expiresAtMs: NOW_MS + 1000 });

/** What is presented: fields as a flat list, and a certificate. */
interface Presented {
  readonly fields: readonly string[];
  readonly certificate?: ClientCertificate;
}

interface Way {
  /** Name of the policy. */
  readonly policy: string;
  readonly config: unknown;
  readonly right: Presented;
  readonly wrong: Presented;
  /** What the wrong one is refused with; undefined where it is let on as well. */
  readonly refusal: string | undefined;
  /** Whether so many wrong ones are told from one. */
  readonly isGuarded?: boolean;
  /** What tests of the document get, which have no certificate and ask nobody, where it is another answer. */
  readonly inTest?: { readonly right?: number; readonly nothing?: number };
}

const fields = (...flat: readonly string[]): Presented => ({ fields: flat });
const bearer = (token: string) => fields('Authorization', `Bearer ${token}`);
const basic = (password: string) =>
  fields('Authorization', `Basic ${Buffer.from(`ann:${password}`).toString('base64')}`);
const CLAIMS = { iss: 'login', aud: 'orders', sub: 'ann', exp: NOW + 3600 };
const JWT = { issuer: 'login', audience: 'orders', keys: [{ secret: 'env:TOKEN_SECRET' }], hide: true };
const OTHER_KEY = 'another-key-0123456789abcdef';
const LOGIN = { issuer: 'http://127.0.0.1:1', clientId: 'app' };

function signed(key: string): Presented {
  const request = { method: 'GET', authority: HOST, target: '/orders' };
  const components = ['@method', '@authority'];
  const made = signatureFields(request, { keyId: 'ann', key: Buffer.from(key), components, created: NOW });
  return { fields: Object.entries(made).flat() };
}

function session(secret: string): Presented {
  const sealed = { ...LOGIN, secret, claims: { sub: 'ann' }, nowMs: NOW_MS };
  return fields(
    'Cookie',
    `__Host-sallyport=${sealedSession({ ...sealed, over: { accessToken: 'upstream-token' } })}`,
  );
}

/** A token of a key, with a proof that is good once. */
function bound(signer: ReturnType<typeof tokenKey>): Presented {
  const token = mintSecret(TOKEN_SECRET, { ...CLAIMS, cnf: { jkt: thumbprint(HOLDER) } });
  const url = `http://${HOST}/orders`;
  const proof = proofOf(signer, { jti: 'once', htm: 'GET', htu: url, iat: NOW, ath: tokenHash(token) });
  return fields('Authorization', `DPoP ${token}`, 'DPoP', proof);
}

const [HOLDER, THIEF] = [tokenKey(), tokenKey()];
const TOKEN = mintSecret(TOKEN_SECRET, CLAIMS);
const FORGED = mintSecret('another secret', CLAIMS);

const WAYS: readonly Way[] = [
  {
    policy: 'api-key',
    config: {},
    right: fields('X-API-Key', KEY),
    wrong: fields('X-API-Key', OTHER_KEY),
    refusal: 'invalid-credential',
    isGuarded: true,
  },
  {
    policy: 'basic-auth',
    config: {},
    right: basic(PASSWORD),
    wrong: basic('guess'),
    refusal: 'invalid-credential',
    isGuarded: true,
  },
  {
    policy: 'hmac-signature',
    config: { components: ['@method', '@authority'] },
    right: signed(SIGNING_SECRET),
    wrong: signed('0'.repeat(40)),
    refusal: 'invalid-credential',
    isGuarded: true,
  },
  {
    policy: 'mtls',
    config: { forward: { thumbprint: 'X-Thumbprint' } },
    right: { fields: [], certificate: CERTIFICATE },
    wrong: { fields: [], certificate: clientCertificate({ expiresAtMs: NOW_MS + 1000 }) },
    refusal: 'invalid-credential',
    inTest: { right: 401 },
  },
  {
    policy: 'jwt',
    config: JWT,
    right: bearer(TOKEN),
    wrong: bearer(FORGED),
    refusal: 'invalid-credential',
    isGuarded: true,
  },
  {
    policy: 'jwt',
    config: { ...JWT, dpop: 'required' },
    right: bound(HOLDER),
    wrong: bound(THIEF),
    refusal: 'invalid-credential',
    isGuarded: true,
  },
  {
    policy: 'oauth2-introspection',
    config: {
      endpoint: 'http://127.0.0.1:1/introspect',
      bearerToken: 'env:TOKEN_SECRET',
      audience: 'orders',
      hide: true,
    },
    right: bearer('right'),
    wrong: bearer('guess'),
    refusal: 'invalid-credential',
    isGuarded: true,
    inTest: { right: 503 },
  },
  {
    policy: 'oidc-login',
    config: {
      ...LOGIN,
      publicUrl: 'https://app.test',
      clientSecret: 'env:TOKEN_SECRET',
      unauthenticated: 401,
      upstream: 'access-token',
      session: { secrets: ['env:SESSION_SECRET'] },
    },
    right: session(SESSION_SECRET),
    wrong: session('another-secret-0123456789abcdef-012'),
    refusal: 'invalid-credential',
  },
  {
    policy: 'external-auth',
    config: {
      url: 'http://127.0.0.1:1/verify',
      identity: { consumer: 'X-User' },
      upstreamHeaders: ['X-User'],
      clientHeaders: ['X-Seen'],
    },
    right: bearer('right'),
    wrong: bearer('guess'),
    refusal: 'invalid-credential',
    isGuarded: true,
    inTest: { right: 503, nothing: 503 },
  },
  {
    policy: 'any-of',
    config: [{ 'api-key': {} }, { 'basic-auth': {} }, { 'external-auth': ASKED() }],
    right: basic(PASSWORD),
    wrong: basic('guess'),
    refusal: 'invalid-credential',
    isGuarded: true,
    inTest: { nothing: 503 },
  },
  {
    policy: 'all-of',
    config: [{ 'api-key': {} }, { 'hmac-signature': { components: ['@method'] } }],
    right: { fields: ['X-API-Key', KEY, ...signed(SIGNING_SECRET).fields] },
    wrong: { fields: ['X-API-Key', KEY, ...signed('0'.repeat(40)).fields] },
    refusal: 'invalid-credential',
    isGuarded: true,
  },
  { policy: 'anonymous', config: { consumer: 'ann' }, right: fields(), wrong: fields(), refusal: undefined },
];

function ASKED(): Members {
  return { url: 'http://127.0.0.1:1/verify', identity: { consumer: 'X-User' } };
}

/** The authorization server and the service that are asked: both know one credential. */
const NETWORK: Network = {
  send: async ({ url, body, headers = [] }) => {
    const isRight = url.endsWith('/introspect')
      ? new URLSearchParams(String(body)).get('token') === 'right'
      : headers.includes('Bearer right');
    const answer = isRight ? { active: true, token_type: 'Bearer', ...CLAIMS } : { active: false };
    if (url.endsWith('/introspect')) return answerOf(200, ['Content-Type', 'application/json'], answer);
    return answerOf(isRight ? 200 : 401, isRight ? ['X-User', 'ann', 'X-Seen', 'yes'] : [], {});
  },
};

const answerOf = (status: number, flat: readonly string[], body: unknown) => ({
  status,
  headers: new HeaderList([...flat]),
  body: Buffer.from(JSON.stringify(body)),
});

const CONSUMERS = [
  {
    name: 'ann',
    credentials: [
      { 'api-key': { secret: 'env:KEY' } },
      { 'basic-auth': { username: 'ann', password: 'env:PASSWORD' } },
      { 'hmac-signature': { keyId: 'ann', secret: 'env:SIGNING_SECRET' } },
      { mtls: { thumbprint: CERTIFICATE.thumbprint } },
    ],
  },
];

async function compiled(policies: readonly Members[]): Promise<Snapshot> {
  return (await bundled(policies)).snapshot;
}

async function bundled(policies: readonly Members[]) {
  const files = filesFrom({});
  const document = documentWith({ consumers: CONSUMERS }, { policies });
  return await createBundle(parseDocument(JSON.stringify(document), 'gateway.json'), {
    catalog: new PolicyCatalog(POLICIES),
    cache: new PolicyCache(),
    files,
    secrets: secretsOf(ENVIRONMENT, files),
  });
}

/** Runs tests as the document's own: each one's status, or whether it was forwarded. */
async function tested(policies: readonly Members[], ...requests: readonly Members[]) {
  const { snapshot } = await bundled(policies);
  const tests = requests.map((request, i) => ({
    name: String(i),
    request: { path: '/orders', ...request },
    expect: { status: 1, forwarded: true },
  }));
  const deps = {
    createState: createLocalCounters,
    secrets: secretsOf(ENVIRONMENT, filesFrom({})),
    startMs: NOW_MS,
  };
  const results = await runDocumentTests(snapshot, tests, deps);
  await snapshot.dispose();
  return results.map(({ unmet }) => {
    const got = unmet.find(({ what }) => what === 'status')?.got ?? '';
    return /^\d+$/.test(got) ? Number(got) : 'forwarded';
  });
}

/** What came of a request: who it is of, and all that was changed in it. */
interface Seen {
  /** `forward`, or the code of the refusal. */
  readonly verdict: string;
  readonly consumer: string | undefined;
  /** What each attachment said, in order. */
  readonly said: readonly string[];
  readonly edits: number;
}

async function send(snapshot: Snapshot, presented: Presented, state: CounterState): Promise<Seen> {
  const peer = parseIpAddress('198.51.100.7');
  assert.ok(peer !== undefined);
  const { certificate } = presented;
  const head = Buffer.from(`GET /orders HTTP/1.1\r\n${fieldLines(['Host', HOST, ...presented.fields])}\r\n`);
  const request = { id: 'r', scheme: 'http', peer, head, body: Buffer.alloc(0), certificate } as const;
  const judgement = await evaluate(snapshot.listeners[0], request, {
    clock: { now: () => NOW_MS, monotonic: () => NOW_MS },
    random: { hex: (bytes) => '0'.repeat(bytes * 2) },
    state,
    ...NOBODY_THERE,
    network: NETWORK,
  });
  assert.equal(judgement.kind, 'judged');
  const { verdict, evaluation } = judgement;
  const { requestEdits, responseEdits, removedParameters } = evaluation.edits;
  return {
    verdict: verdict.kind === 'reject' ? verdict.error.code : verdict.kind,
    consumer: evaluation.facts.identity?.consumer,
    said: evaluation.entries.map(({ mode, outcome, code }) => `${mode} ${code ?? outcome}`),
    edits: requestEdits.length + responseEdits.length + removedParameters.length,
  };
}

/** Sends one request after the other through a route of its own. */
async function through(policies: readonly Members[], ...all: readonly Presented[]): Promise<readonly Seen[]> {
  const snapshot = await compiled(policies);
  const state = createLocalCounters();
  const seen: Seen[] = [];
  for (const presented of all) seen.push(await send(snapshot, presented, state));
  await snapshot.dispose();
  return seen;
}

const NOTHING = fields();
/** More than any address may guess. */
const GUESSES = 150;

for (const { policy, config, right, wrong, refusal = 'forward', isGuarded, inTest = {} } of WAYS) {
  const attached = (more: Members = {}) => ({ [policy]: config, ...more });
  const missing = policy === 'anonymous' ? 'forward' : 'unauthenticated';
  const said = (mode: string, verdict: string) => [`${mode} ${verdict === 'forward' ? 'continue' : verdict}`];

  describe(`${policy} ${JSON.stringify(config).slice(0, 60)}`, () => {
    it('refuses in enforce what is wrong, and names who is right', async () => {
      const [bad, none, good] = await through([attached()], wrong, NOTHING, right);
      assert.deepEqual([bad.verdict, bad.said], [refusal, said('enforce', refusal)]);
      assert.deepEqual([none.verdict, none.said], [missing, said('enforce', missing)]);
      assert.deepEqual([good.verdict, good.consumer, good.said], ['forward', 'ann', ['enforce continue']]);
    });

    it('says the same in shadow, and acts on none of it', async () => {
      const [bad, none, good] = await through([attached({ mode: 'shadow' })], wrong, NOTHING, right);
      const idle = { verdict: 'forward', consumer: undefined, edits: 0 };
      assert.deepEqual(bad, { ...idle, said: said('shadow', refusal) });
      assert.deepEqual(none, { ...idle, said: said('shadow', missing) });
      assert.deepEqual(good, { ...idle, said: ['shadow continue'] });
    });

    it('uses up in shadow nothing that it needs in enforce', async () => {
      const twins = [attached({ mode: 'shadow', name: 'trial' }), attached()];
      const [seen] = await through(twins, right);
      assert.deepEqual([seen.verdict, seen.consumer], ['forward', 'ann']);
      assert.deepEqual(seen.said, ['shadow continue', 'enforce continue']);
    });

    it('is not asked where its condition is false, and is where it is true', async () => {
      const condition = (text: string) => [attached({ when: `request.path == "${text}"` })];
      for (const presented of [wrong, NOTHING, right]) {
        const [seen] = await through(condition('/other'), presented);
        const untouched = { verdict: 'forward', consumer: undefined, edits: 0, said: ['enforce skipped'] };
        assert.deepEqual(seen, untouched);
      }
      const [bad, good] = await through(condition('/orders'), wrong, right);
      assert.deepEqual([bad.verdict, good.verdict, good.consumer], [refusal, 'forward', 'ann']);
    });

    it('is nowhere where it is off', async () => {
      const [bad, good] = await through([attached({ mode: 'off' })], wrong, right);
      const untouched = { verdict: 'forward', consumer: undefined, edits: 0, said: [] };
      assert.deepEqual([bad, good], [untouched, untouched]);
    });

    it('in a document’s test is taken as proved where the test says who calls, and asked where it does not', async () => {
      const acl = { acl: { allow: { consumers: ['ann'] } } };
      const headers = Object.fromEntries(
        right.fields.flatMap((name, i) => (i % 2 === 0 ? [[name, right.fields[i + 1]]] : [])),
      );
      const requests = [
        { identity: { consumer: 'ann' } },
        { identity: { consumer: 'ben' } },
        {},
        { headers: { host: HOST, ...headers } },
      ];
      const stranger = policy === 'anonymous' ? 'forwarded' : 401;
      const expected = ['forwarded', 403, inTest.nothing ?? stranger, inTest.right ?? 'forwarded'];
      assert.deepEqual(await tested([attached(), acl], ...requests), expected);
      // Behind one in shadow nobody is known, whoever the test says calls.
      const behind = [
        attached({ mode: 'shadow' }),
        { acl: { allow: 'everyone' }, when: 'consumer == "ann"' },
      ];
      const trial = [
        ...behind,
        { acl: { allow: { methods: ['PUT'] } }, when: 'consumer != ""', name: 'known' },
      ];
      assert.deepEqual(await tested(trial, ...requests), Array(4).fill('forwarded'));
    });

    if (isGuarded !== true) return;
    it('bans nobody for what is guessed in shadow', async () => {
      const guesses = Array.from({ length: GUESSES }, () => wrong);
      const [shadow, live] = [
        attached({ mode: 'shadow' }),
        attached({ when: '!("x-trial" in request.headers)' }),
      ];
      const onTrial = guesses.map((guess) => ({ ...guess, fields: [...guess.fields, 'X-Trial', 'yes'] }));
      const afterTrial = (await through([shadow, live], ...onTrial, right)).at(-1);
      assert.deepEqual([afterTrial?.verdict, afterTrial?.consumer], ['forward', 'ann']);
      const afterGuesses = (await through([attached()], ...guesses, right)).at(-1);
      assert.equal(afterGuesses?.verdict, 'too-many-failures');
    });
  });
}

it('every policy that can say who calls is here', () => {
  const named = new Set(WAYS.map(({ policy }) => policy));
  const saying = POLICIES.filter(
    ({ provides = [] }) => typeof provides === 'function' || provides.includes('identity'),
  );
  assert.deepEqual(
    saying.map(({ name }) => name).filter((name) => !named.has(name)),
    [],
  );
});
