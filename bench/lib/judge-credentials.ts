import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createBundle,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  secretsOf,
} from '../../src/config/index.ts';
import type { ClientCertificate, EvaluationDeps, ListenerPlan } from '../../src/contract/index.ts';
import { RequestError } from '../../src/errors.ts';
import { Evaluation, viewOf } from '../../src/evaluator/index.ts';
import { fieldLines, parseRequestHead } from '../../src/http1/index.ts';
import { parseIpAddress } from '../../src/lib/ip-address.ts';
import { createSystemRandom, systemClock } from '../../src/lib/system.ts';
import { createNetwork } from '../../src/outbound/index.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { attachSharedCounters, createSharedCounters } from '../../src/state/index.ts';
import { filesFrom } from '../../test/fixtures/config.ts';
import { signatureFields } from '../../test/fixtures/http-signature.ts';
import { NOBODY_THERE } from '../../test/fixtures/nobody-there.ts';
import { sealedSession } from '../../test/fixtures/sealed-session.ts';
import { mintSecret, proofOf, thumbprint, tokenHash, tokenKey } from '../../test/fixtures/tokens.ts';
import { AUDIENCE, FILES, identityDocument, SECRETS, signToken, USERS } from './credentials.ts';
import type { Row, RunOptions } from './scenario.ts';
import { median } from './statistics.ts';

/** One kind of credential: the route that asks for it, and how many of it are made new for the cold figure. */
interface Kind {
  readonly name: string;
  readonly route: string;
  /** 0 where nothing of it is remembered, so that each is judged like the first. */
  readonly cold: number;
  /** Good for one request: there is none that was seen before. */
  readonly isOnce?: boolean;
  readonly certificate?: ClientCertificate;
  /** Fields of a request that proves who calls; what they hold was never seen before. */
  fresh(): Promise<readonly string[]>;
}

const AUTHORITY = 'api.bench.test';
const WARM_CALLS = 20_000;
const PEER = parseIpAddress('192.0.2.1');

const CERTIFICATE: ClientCertificate = {
  subject: 'CN=app',
  commonName: 'app',
  issuer: 'CN=authority',
  serial: '1',
  names: { dns: ['app.partner.test'], uris: [], emails: [] },
  thumbprint: 'a'.repeat(43),
  expiresAtMs: Number.MAX_SAFE_INTEGER,
};

const bearer = (token: string) => ['Authorization', `Bearer ${token}`];
const basic = (user: string) => Buffer.from(`${user}:${SECRETS.BENCH_PASSWORD}`).toString('base64');
let made = 0;
let nextUser = 0;
/** Each takes two of the users. */
const MAX_ROUNDS = USERS.length / 2;

const KINDS: readonly Kind[] = [
  { name: 'none', route: 'none', cold: 0, fresh: async () => [] },
  { name: 'api-key', route: 'api-key', cold: 0, fresh: async () => ['X-API-Key', SECRETS.BENCH_KEY] },
  { name: 'jwt, RS256', route: 'jwt-rs256', cold: 300, fresh: async () => bearer(await signToken('RS256')) },
  { name: 'jwt, ES256', route: 'jwt-es256', cold: 300, fresh: async () => bearer(await signToken('ES256')) },
  {
    name: 'oauth2-introspection',
    route: 'oauth2-introspection',
    cold: 100,
    fresh: async () => bearer(`opaque-token-${++made}`),
  },
  {
    name: 'basic-auth (argon2id, 19 MiB)',
    route: 'basic-auth',
    cold: 1,
    fresh: async () => ['Authorization', `Basic ${basic(USERS[nextUser++ % USERS.length])}`],
  },
  {
    name: 'jwt, HS256 with a proof (DPoP)',
    route: 'jwt-dpop',
    cold: 300,
    isOnce: true,
    fresh: async () => proven(),
  },
  { name: 'oidc-login', route: 'oidc-login', cold: 300, fresh: async () => session() },
  {
    name: 'external-auth, kept',
    route: 'external-auth',
    cold: 100,
    fresh: async () => bearer(`kept-${++made}`),
  },
  { name: 'hmac-signature', route: 'hmac-signature', cold: 300, isOnce: true, fresh: async () => signed() },
  { name: 'mtls', route: 'mtls', cold: 0, certificate: CERTIFICATE, fresh: async () => [] },
];

const HOLDER = tokenKey('ES256');
const LOGIN = { issuer: 'http://127.0.0.1:1', clientId: 'bench' } as const;
/** A remembered token, and a proof that is new with each request. */
const BOUND = mintSecret(SECRETS.BENCH_TOKEN_SECRET, {
  iss: 'bench',
  aud: AUDIENCE,
  sub: 'app',
  exp: Math.floor(Date.now() / 1000) + 7200,
  cnf: { jkt: thumbprint(HOLDER) },
});

function proven(): readonly string[] {
  const proof = proofOf(HOLDER, {
    jti: `proof-${++made}`,
    htm: 'GET',
    htu: `http://${AUTHORITY}/jwt-dpop`,
    iat: Math.floor(Date.now() / 1000),
    ath: tokenHash(BOUND),
  });
  return ['Authorization', `DPoP ${BOUND}`, 'DPoP', proof];
}

function session(): readonly string[] {
  const claims = { sub: 'app', jti: String(++made) };
  const value = sealedSession({ ...LOGIN, secret: SECRETS.BENCH_SESSION_SECRET, claims });
  return ['Cookie', `__Host-sallyport=${value}`];
}

function signed(): readonly string[] {
  const request = { method: 'GET', authority: AUTHORITY, target: '/hmac-signature' };
  const fields = signatureFields(request, {
    keyId: 'app',
    key: Buffer.from(SECRETS.BENCH_SIGNING_SECRET),
    components: ['@method', '@authority', '@path'],
    created: Math.floor(Date.now() / 1000),
    more: `;nonce="${++made}"`,
  });
  return Object.entries(fields).flat();
}

/** Judges requests of every kind in this process, interleaved: one row each. */
export async function judgeCredentials(options: RunOptions): Promise<readonly Row[]> {
  const server = await askedServer();
  try {
    const judge = await Judge.create(server.url);
    const figures = new Map(KINDS.map((kind) => [kind.name, { warm: [] as number[], cold: [] as number[] }]));
    for (let round = 0; round < Math.min(options.rounds * 2, MAX_ROUNDS); round++) {
      for (const kind of KINDS) {
        const figure = figures.get(kind.name);
        figure?.cold.push(await judge.cold(kind));
        figure?.warm.push(await judge.warm(kind));
      }
    }
    const bare = figures.get('none')?.warm ?? [];
    return KINDS.map(({ name, route, cold, isOnce = false }) => {
      const figure = figures.get(name);
      const warm = isOnce ? [] : (figure?.warm ?? []);
      const ratio = (values: readonly number[]) =>
        values.length === 0 ? '' : median(values.map((ns, i) => ns / bare[i])).toFixed(2);
      const first = cold === 0 ? (route === 'none' ? [] : warm) : (figure?.cold ?? []);
      return {
        judged: name,
        'seen before, ns': isOnce ? 'never' : told(warm),
        '× none': ratio(warm),
        'new, ns': told(first),
        '× none, new': ratio(first),
      };
    });
  } finally {
    server.close();
  }
}

const told = (values: readonly number[]): string =>
  values.length === 0 ? '' : String(Math.round(median(values)));

/** One compiled document, as a worker has it. */
class Judge {
  readonly #listener: ListenerPlan;
  readonly #deps: EvaluationDeps;

  private constructor(listener: ListenerPlan, deps: EvaluationDeps) {
    this.#listener = listener;
    this.#deps = deps;
  }

  static async create(asked: string): Promise<Judge> {
    const more = {
      'jwt-dpop': [
        {
          jwt: {
            issuer: 'bench',
            audience: AUDIENCE,
            keys: [{ secret: 'env:BENCH_TOKEN_SECRET' }],
            dpop: 'required',
          },
        },
      ],
      'oidc-login': [
        {
          'oidc-login': {
            ...LOGIN,
            publicUrl: 'https://app.bench.test',
            clientSecret: 'env:BENCH_KEY',
            session: { secrets: ['env:BENCH_SESSION_SECRET'] },
          },
        },
      ],
      'external-auth': [
        { 'external-auth': { url: asked, identity: { consumer: 'X-User' }, cache: { ttl: '1h' } } },
      ],
      'oauth2-introspection': [
        {
          'oauth2-introspection': {
            endpoint: asked,
            clientId: 'bench',
            clientSecret: 'env:BENCH_KEY',
            audience: 'any',
          },
        },
      ],
      mtls: [{ mtls: { match: [{ dns: 'app.partner.test', consumer: 'app' }] } }],
    };
    const files = filesFrom(FILES);
    const document = identityDocument(8080, 'http://127.0.0.1:1', USERS, more);
    const { snapshot } = await createBundle(parseDocument(JSON.stringify(document), 'bench'), {
      catalog: new PolicyCatalog(POLICIES),
      cache: new PolicyCache(),
      files,
      secrets: secretsOf(SECRETS, files),
    });
    const random = createSystemRandom();
    const state = attachSharedCounters(createSharedCounters({ random }).memory);
    return new Judge(snapshot.listeners[0], {
      clock: systemClock,
      random,
      state,
      ...NOBODY_THERE,
      network: createNetwork(),
    });
  }

  /** Nanoseconds for a request whose credential is judged for the first time. */
  async cold(kind: Kind): Promise<number> {
    if (kind.cold === 0) return Number.NaN;
    const heads: Buffer[] = [];
    for (let i = 0; i < kind.cold; i++) heads.push(headOf(kind.route, await kind.fresh()));
    const from = performance.now();
    for (const head of heads) await this.#judge(kind, head);
    return ((performance.now() - from) * 1e6) / kind.cold;
  }

  /** Nanoseconds for a request whose credential was judged before. */
  async warm(kind: Kind): Promise<number> {
    if (kind.isOnce === true) return Number.NaN;
    const head = headOf(kind.route, await kind.fresh());
    await this.#judge(kind, head);
    const from = performance.now();
    for (let i = 0; i < WARM_CALLS; i++) {
      const judging = this.#judge(kind, head);
      if (judging !== undefined)
        throw new Error(`${kind.name}: one that was seen before is not judged at once`);
    }
    return ((performance.now() - from) * 1e6) / WARM_CALLS;
  }

  #judge({ name, certificate }: Kind, bytes: Buffer): Promise<void> | undefined {
    const listener = this.#listener;
    const head = parseRequestHead(bytes, 0, bytes.length, listener.limits);
    if (head instanceof RequestError || PEER === undefined) throw new Error(`${name}: no request`);
    const { method, target, headers, authority } = head;
    const source = { id: 'bench', method, scheme: 'http', authority, target, headers, peer: PEER } as const;
    const view = viewOf({ ...source, httpVersion: '1.1', certificate }, listener);
    if (view instanceof RequestError) throw new Error(`${name}: ${view.reason}`);
    const evaluation = new Evaluation(listener, view, this.#deps);
    const verdict = evaluation.runRequest();
    if (verdict instanceof Promise) return verdict.then((settled) => expectForward(name, settled.kind));
    return expectForward(name, verdict.kind);
  }
}

/** No figure is of a refusal. */
function expectForward(name: string, kind: string): undefined {
  if (kind !== 'forward') throw new Error(`${name}: ${kind}`);
}

function headOf(route: string, fields: readonly string[]): Buffer {
  return Buffer.from(`GET /${route} HTTP/1.1\r\n${fieldLines(['Host', AUTHORITY, ...fields])}\r\n`, 'latin1');
}

/** Says of every token and of every request that it is good. */
async function askedServer(): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume();
    const exp = Math.floor(Date.now() / 1000) + 3600;
    response.setHeader('content-type', 'application/json');
    response.setHeader('x-user', 'app');
    response.end(
      JSON.stringify({
        active: true,
        token_type: 'Bearer',
        sub: 'user-1001',
        client_id: 'app',
        scope: 'orders.read',
        exp,
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/asked`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
