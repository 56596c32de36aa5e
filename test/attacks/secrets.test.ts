import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { signatureFields } from '../fixtures/http-signature.ts';
import { KeyServer } from '../fixtures/key-server.ts';
import { eventually } from '../fixtures/process.ts';
import { RawUpstream, send } from '../fixtures/raw-upstream.ts';
import { sealedSession } from '../fixtures/sealed-session.ts';
import { mint, mintSecret, tokenKey } from '../fixtures/tokens.ts';

/**
 * Item 51: what a caller presents, right or wrong, what the document refers to, and what others answer to the gateway is
 * in no log, record, metric, audit, answer of the admin side or file of the data folder.
 */

/** By the name in the environment that the document refers to. */
const OWN = {
  ANN_KEY: 'own-ann-key-0123456789abcdef',
  PASSWORD: 'own-password-0123456789abcdef',
  SIGNING_SECRET: 'own-signing-secret-0123456789abcdef',
  TOKEN_SECRET: 'own-token-secret-0123456789abcdef-0123456789',
  CLIENT_SECRET: 'own-client-secret-0123456789abcdef',
  SESSION_SECRET: 'own-session-secret-0123456789abcdef-0123',
  UPSTREAM_KEY: 'own-upstream-key-0123456789abcdef',
  FEED_KEY: 'own-feed-key-0123456789abcdef',
  SIGNING_KEY: String(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  ),
};
/** What somebody sends who is wrong. */
const SENT = {
  key: 'sent-key-0123456789abcdef',
  queryKey: 'sent-query-key-0123456789abcdef',
  cookie: 'sent-cookie-0123456789abcdef',
  password: 'sent-password-0123456789abcdef',
  opaque: 'sent-opaque-token-0123456789abcdef',
  signature: Buffer.from('sent-signature-0123456789abcdef').toString('base64'),
} as const;
/** What others answer where a feed, keys or a decision should be. */
const ANSWERED = 'answered-0123456789abcdef';

const CLAIMS = { iss: 'login', aud: 'orders', sub: 'ann', jti: 'public-id', exp: 4_102_444_800 };
const RIGHT_TOKEN = mintSecret(OWN.TOKEN_SECRET, CLAIMS);
const FORGED_TOKEN = mintSecret('nobody knows', { ...CLAIMS, iss: 'somebody' });
const HTML = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 45\r\n\r\n<html><b>${ANSWERED}</b></html>    `;

const route = (name: string, ...policies: unknown[]) => ({
  name,
  match: { path: `/${name}/**` },
  upstream: 'origin',
  policies,
});

interface World {
  readonly gateway: Gateway;
  readonly issuer: KeyServer;
  readonly feed: RawUpstream;
  readonly upstream: RawUpstream;
  readonly session: string;
  readonly records: string;
}

async function open(): Promise<World> {
  const [issuer, feed, upstream, dead, port] = await Promise.all([
    KeyServer.start([tokenKey()]),
    RawUpstream.start({ answer: send(HTML) }),
    RawUpstream.start(),
    freePort().then((free) => `http://127.0.0.1:${free}`),
    freePort(),
  ]);
  issuer.page = JSON.stringify({ keys: [{ kty: 'oct', k: ANSWERED, kid: 'a' }], [ANSWERED]: '<html>' });
  const own = { clientId: 'app', clientSecret: 'env:CLIENT_SECRET' };
  const login = { issuer: dead, publicUrl: 'https://app.test', session: { secrets: ['env:SESSION_SECRET'] } };
  const routes = [
    route('key', { 'api-key': { query: 'key', cookie: 'key' } }),
    route('password', { 'basic-auth': {} }),
    route('signed', { 'hmac-signature': { components: ['@method', '@authority'] } }),
    route('token', {
      jwt: { issuer: 'login', audience: 'orders', keys: [{ secret: 'env:TOKEN_SECRET' }], query: 'token' },
    }),
    route('far', { jwt: { issuer: issuer.issuer, jwks: `${issuer.issuer}/jwks`, audience: 'orders' } }),
    route('opaque', { 'oauth2-introspection': { endpoint: feed.url, ...own, audience: 'orders' } }),
    route('away', { 'oauth2-introspection': { endpoint: dead, ...own, audience: 'orders' } }),
    route('login', { 'oidc-login': { ...login, ...own, upstream: 'access-token', unauthenticated: 401 } }),
    route('asked', { 'external-auth': { url: dead } }),
    route('told', { 'external-auth': { url: feed.url, identity: { consumer: 'X-User' } } }),
    route('upstream', { 'upstream-auth': { apiKey: { secret: 'env:UPSTREAM_KEY' } } }),
    route('own', { 'upstream-auth': { oauth2: { tokenUrl: dead, ...own } } }),
    route(
      'vouched',
      { 'api-key': {} },
      {
        'upstream-auth': {
          jwt: { key: 'env:SIGNING_KEY', algorithm: 'ES256', issuer: 'gateway', audience: 'orders' },
        },
      },
    ),
    route('broken', { 'api-key': {}, when: 'request.headers["x-absent"] == "a"' }),
  ];
  const document = proxyDocument({
    port,
    upstream: upstream.url,
    routes,
    document: {
      bruteForce: 'off',
      lists: { feed: { source: `${feed.url}/list`, headers: { Authorization: 'env:FEED_KEY' } } },
      consumers: [
        {
          name: 'ann',
          credentials: [
            { 'api-key': { secret: 'env:ANN_KEY' } },
            { 'basic-auth': { username: 'ann', password: 'env:PASSWORD' } },
            { 'hmac-signature': { keyId: 'ann', secret: 'env:SIGNING_SECRET' } },
          ],
        },
      ],
    },
  });
  let gateway: Gateway;
  try {
    gateway = await startGateway(document, { env: OWN, admin: true, records: 'records.jsonl' });
  } catch (error) {
    for (const one of [issuer, feed, upstream]) await one.stop();
    throw error;
  }
  const claims = { sub: 'ann', sid: 'public-session' };
  const over = { accessToken: 'session-access-token-0123456789', refreshToken: 'session-refresh-0123456789' };
  const sealed = { secret: OWN.SESSION_SECRET, issuer: dead, clientId: 'app', claims, over };
  const session = sealedSession(sealed);
  return { gateway, issuer, feed, upstream, session, records: join(gateway.folder, 'records.jsonl') };
}

const basic = (user: string, password: string) => Buffer.from(`${user}:${password}`).toString('base64');

function signed(key: string, port: number): Record<string, string> {
  const request = { method: 'GET', authority: `127.0.0.1:${port}`, target: '/signed/1' };
  const components = ['@method', '@authority'];
  const created = Math.floor(Date.now() / 1000);
  return { ...signatureFields(request, { keyId: 'ann', key: Buffer.from(key), components, created }) };
}

/** Requests, each with the status that shows that it came as far as it should. */
function presented({
  gateway,
  issuer,
  session,
}: World): readonly [path: string, status: number, fields: object][] {
  const { port } = gateway;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  return [
    ['/key/1', 200, { 'x-api-key': OWN.ANN_KEY }],
    [`/key/1?key=${OWN.ANN_KEY}`, 200, {}],
    ['/key/1', 200, { cookie: `key=${OWN.ANN_KEY}` }],
    ['/key/1', 401, { 'x-api-key': SENT.key }],
    [`/key/1?key=${SENT.queryKey}`, 401, {}],
    ['/key/1', 401, { cookie: `key=${SENT.cookie}` }],
    ['/key/1', 401, { 'x-api-key': SENT.key, cookie: `key=${SENT.cookie}` }],
    ['/password/1', 200, { authorization: `Basic ${basic('ann', OWN.PASSWORD)}` }],
    ['/password/1', 401, { authorization: `Basic ${basic('ann', SENT.password)}` }],
    ['/password/1', 401, { authorization: `Basic ${SENT.password}` }],
    ['/signed/1', 200, signed(OWN.SIGNING_SECRET, port)],
    ['/signed/1', 401, { ...signed(OWN.SIGNING_SECRET, port), signature: `sig1=:${SENT.signature}:` }],
    ['/token/1', 200, bearer(RIGHT_TOKEN)],
    [`/token/1?token=${RIGHT_TOKEN}`, 200, {}],
    ['/token/1', 401, bearer(FORGED_TOKEN)],
    ['/token/1', 401, bearer(SENT.opaque)],
    ['/far/1', 503, bearer(mint(tokenKey(), { ...CLAIMS, iss: issuer.issuer }))],
    ['/opaque/1', 503, bearer(SENT.opaque)],
    ['/away/1', 503, bearer(SENT.opaque)],
    ['/login/1', 200, { cookie: `__Host-sallyport=${session}` }],
    ['/login/1', 401, { cookie: `__Host-sallyport=1${SENT.cookie}` }],
    [`/login/.sallyport/callback?code=${SENT.queryKey}&state=${SENT.cookie}`, 401, {}],
    ['/asked/1', 503, { ...bearer(SENT.opaque), cookie: `a=${SENT.cookie}` }],
    ['/told/1', 503, { ...bearer(SENT.opaque), cookie: `a=${SENT.cookie}` }],
    ['/upstream/1', 200, bearer(SENT.opaque)],
    ['/own/1', 503, bearer(SENT.opaque)],
    ['/vouched/1', 200, { 'x-api-key': OWN.ANN_KEY }],
    ['/broken/1', 500, { 'x-api-key': SENT.key }],
    [`/nowhere?token=${SENT.queryKey}`, 404, bearer(SENT.opaque)],
  ];
}

/** All that an operator can read without asking for a secret. */
async function everythingTold({ gateway, records }: World): Promise<ReadonlyMap<string, string>> {
  const told = new Map([
    ['the log', gateway.output],
    ['the records', readFileSync(records, 'utf8')],
  ]);
  const api: { paths: Readonly<Record<string, object>> } = JSON.parse(
    await (await gateway.admin('GET', '/api/openapi.json')).text(),
  );
  const paths = Object.entries(api.paths).flatMap(([path, methods]) =>
    'get' in methods && !path.includes('{') ? [path] : [],
  );
  for (const path of ['/metrics', '/api/lists/feed', ...paths])
    told.set(path, await (await gateway.admin('GET', path)).text());
  for (const entry of readdirSync(join(gateway.folder, 'data'), { withFileTypes: true, recursive: true }))
    if (entry.isFile()) told.set(entry.name, readFileSync(join(entry.parentPath, entry.name), 'latin1'));
  return told;
}

const formsOf = (secret: string): readonly string[] => [
  secret,
  Buffer.from(secret).toString('base64url'),
  Buffer.from(secret).toString('base64'),
  Buffer.from(secret).toString('hex'),
  encodeURIComponent(secret),
];

describe('item 51: nothing secret is told', () => {
  let world: World;
  before(async () => {
    world = await open();
  });
  after(async () => {
    await world.gateway.stop();
    for (const one of [world.issuer, world.feed, world.upstream]) await one.stop();
  });

  it('of what callers present, right or wrong', async () => {
    const { gateway } = world;
    for (const [path, status, fields] of presented(world)) {
      const answer = await fetch(`http://127.0.0.1:${gateway.port}${path}`, {
        headers: { ...fields },
        redirect: 'manual',
      });
      const text = await answer.text();
      assert.equal(answer.status, status, `${path} ${JSON.stringify(fields)}: ${text}`);
      if (status !== 200) for (const secret of Object.values(OWN)) assert.ok(!text.includes(secret), path);
    }
    const requests = presented(world).length;
    await eventually(async () => readFileSync(world.records, 'utf8').split('\n').length > requests);
  });

  it('of what an operator does, nor of a document that is refused for the secrets in it', async () => {
    const { gateway } = world;
    await gateway.admin('POST', '/api/consumers', { name: 'live' });
    const issued = await gateway.admin('POST', '/api/credentials', { consumer: 'live', kind: 'api-key' });
    const { secret }: { secret: string } = JSON.parse(await issued.text());
    const document: object = JSON.parse(readFileSync(gateway.configFile, 'utf8'));
    const credentials = [{ 'api-key': { secret: SENT.key } }, { 'api-key': { secret: 'env:NOT_THERE' } }];
    const inline = { ...document, consumers: [{ name: 'ann', credentials }] };
    const refused = await gateway.admin('POST', '/api/revisions', JSON.stringify(inline));
    assert.ok(refused.status >= 400 && refused.status < 500, String(refused.status));
    assert.ok(!(await refused.text()).includes(SENT.key));
    for (const [where, text] of await everythingTold(world))
      for (const form of formsOf(secret)) assert.ok(!text.includes(form), `a live key is in ${where}`);
  });

  it('in logs, records, metrics, the admin side and files', async () => {
    await eventually(async () => /"list-refresh-failed"/.test(world.gateway.output));
    const told = await everythingTold(world);
    const all = [told.get('the log'), told.get('the records')].join();
    for (const word of [
      'issuer-keys-unavailable',
      'own-token-unavailable',
      'list-refresh-failed',
      'policy-failed',
    ])
      assert.match(all, new RegExp(word), 'what went wrong is told');
    const [head, payload, signature] = FORGED_TOKEN.split('.');
    const secrets = {
      ...OWN,
      ...SENT,
      ANSWERED,
      session: world.session.slice(20, 60),
      head: RIGHT_TOKEN.split('.')[2],
      forged: `${head}.${payload}`,
      signature,
      pem: OWN.SIGNING_KEY.split('\n')[1],
      right: basic('ann', OWN.PASSWORD),
      wrong: basic('ann', SENT.password),
      access: 'session-access-token-0123456789',
      refresh: 'session-refresh-0123456789',
    };
    for (const [name, secret] of Object.entries(secrets))
      for (const [where, text] of told)
        for (const form of formsOf(secret)) assert.ok(!text.includes(form), `${name} is in ${where}`);
    // What is looked for would be found where it is.
    assert.ok(told.size > 15 && all.includes('public-id'), [...told.keys()].join());
  });
});
