import { sealedSession } from '../../fixtures/sealed-session.ts';
import { mintSecret } from '../../fixtures/tokens.ts';
import { Dice } from '../../fuzz/generate.ts';
import { sendPassword, sendSignature } from './claims.ts';
import { KEYS, type ListenerPorts, SIGN_IN } from './document.ts';
import { sendWays } from './ways.ts';

/** One request as it is sent, and as it is judged without being sent. */
export interface GeneratedRequest {
  readonly id: string;
  readonly listener: keyof ListenerPorts;
  /** Address it comes from. */
  readonly peer: string;
  readonly method: string;
  readonly target: string;
  /** Flat: name, value. Framing included. */
  readonly fields: readonly string[];
  readonly body: Uint8Array;
  /** Size of its chunks; 0 for a body with a length. */
  readonly chunkBytes: number;
}

/** What a request is about, before it is bent. */
export interface Draft {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query?: string;
  readonly fields?: readonly string[];
  readonly body?: string | Uint8Array;
}

/**
 * The same requests for the same seed. Most are sound where they go, and each may be bent in any of its parts, but
 * not so that the codec cannot read them: those have no record.
 */
export function generateRequests(seed: number, count: number): readonly GeneratedRequest[] {
  const dice = new Dice(seed);
  return Array.from({ length: count }, (_, i) => generate(dice, `request-${i}`));
}

function generate(dice: Dice, id: string): GeneratedRequest {
  const draft = dice.pick(DRAFTS)(dice);
  const host = dice.oneIn(12) ? dice.pick(HOSTS) : draft.host;
  const path = dice.oneIn(7) ? dice.pick(BENDS)(draft.path) : draft.path;
  const query = dice.oneIn(6) ? dice.pick(QUERIES) : (draft.query ?? '');
  const page = pageFields(dice, draft.method);
  const body = Buffer.from(draft.body ?? '');
  const chunkBytes = body.length > 0 && dice.oneIn(3) ? 1 + dice.below(40) : 0;
  return {
    id,
    listener: dice.oneIn(8) ? 'inner' : 'public',
    peer: dice.oneIn(10) ? '127.0.0.9' : '127.0.0.1',
    method: page.method,
    target: query === '' ? path : `${path}?${query}`,
    fields: [
      ...['Host', host, 'X-Request-Id', id],
      ...(dice.oneIn(3) ? dice.pick(ODD_CLIENTS) : dice.pick(CLIENTS)),
      ...page.fields,
      ...(draft.fields ?? []),
      ...(dice.oneIn(40) ? ['X_Tenant', 'a'] : []),
      ...(body.length === 0 && dice.oneIn(40) ? ['Expect', 'the-unexpected'] : []),
      ...framing(draft.method, body, chunkBytes),
    ],
    body,
    chunkBytes,
  };
}

function framing(method: string, body: Uint8Array, chunkBytes: number): readonly string[] {
  if (chunkBytes > 0) return ['Transfer-Encoding', 'chunked'];
  return body.length > 0 || method === 'POST' ? ['Content-Length', String(body.length)] : [];
}

/** What a browser adds for a page of another origin, which may ask first. */
function pageFields(dice: Dice, method: string): { readonly method: string; readonly fields: string[] } {
  if (!dice.oneIn(4)) return { method: dice.oneIn(15) ? dice.pick(METHODS) : method, fields: [] };
  const fields = dice.pick(ORIGINS).flatMap((origin) => ['Origin', origin]);
  if (dice.oneIn(2)) return { method, fields };
  fields.push('Access-Control-Request-Method', dice.oneIn(6) ? dice.pick(METHODS) : method);
  return { method: 'OPTIONS', fields };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE'];

const DRAFTS: readonly ((dice: Dice) => Draft)[] = [
  readOrder,
  readOrder,
  createOrder,
  createOrder,
  (dice) => ({
    method: dice.pick(['GET', 'POST', 'DELETE']),
    host: 'other.test',
    path: `/tenants/${dice.pick(['a', 'b', 'caf%C3%A9', 'guest', '%FF'])}/things`,
    fields: dice.pick([[], ['X-Tenant', 'a'], ['X-Tenant', 'a'], ['x-tenant', 'b'], TWO_TENANTS]),
  }),
  (dice) => ({
    method: 'GET',
    host: 'other.test',
    path: dice.pick(['/reports/daily', '/reports/yearly', '/statistics/2020/01', '/statistics']),
    ...dice.pick([{ fields: keyFields(dice) }, { query: dice.pick(KEYS_IN_QUERY) }]),
  }),
  (dice) => ({
    method: 'GET',
    host: dice.pick(['other.test', 'eu.api.test']),
    path: '/reports/daily',
    fields: ['X-Version', dice.pick(['1', '2', '2'])],
  }),
  (dice) => ({
    method: dice.pick(['GET', 'GET', 'POST']),
    host: 'other.test',
    path: '/undecided/here',
    query: dice.pick(['', 'page=1', 'page=4', 'page=4', 'page=x']),
    fields: dice.pick([[], ['X-Plan', 'gold'], ['X-Plan', 'free']]),
  }),
  (dice) => ({
    method: dice.pick(['GET', 'GET', 'PUT']),
    host: 'other.test',
    path: '/shadowed/here',
    fields: keyFields(dice),
  }),
  (dice) => ({
    method: dice.pick(['GET', 'POST']),
    host: 'other.test',
    path: dice.pick(['/tokens/a', '/tokens/a', '/tokens/metadata']),
    fields: dice.pick(TOKENS).flatMap((token) => ['Authorization', `Bearer ${token}`]),
  }),
  (dice) => ({
    method: dice.pick(['GET', 'POST']),
    host: 'other.test',
    path: '/signed-in/here',
    fields: dice.pick(SESSIONS).flatMap((cookie) => ['Cookie', cookie]),
  }),
  (dice) => (dice.oneIn(2) ? sendPassword(dice) : sendSignature(dice)),
  (dice) => sendWays(dice, [KEYS.ANN_KEY, KEYS.ANN_KEY, KEYS.ANN_KEY, KEYS.BEN_KEY, 'wrong']),
  (dice) => ({
    method: dice.pick(['GET', 'POST']),
    host: 'deep.eu.api.test',
    path: dice.pick(['/plain/a', '/pages/a', '/nowhere']),
    body: dice.pick(['{"a":1}', '[1]', '{}']),
    fields: contentFields(dice),
  }),
];

/** Until 2100. */
const CLAIMS = {
  iss: 'https://login.test',
  aud: 'orders',
  sub: 'ann',
  scope: 'orders.read',
  exp: 4_102_444_800,
};
const [SOUND, UNSCOPED, FORGED] = [
  mintSecret(KEYS.TOKEN_SECRET, CLAIMS),
  mintSecret(KEYS.TOKEN_SECRET, { ...CLAIMS, scope: 'orders.write' }),
  mintSecret('another secret', CLAIMS),
];
/** Two at once are none. */
const TOKENS: readonly (readonly string[])[] = [[SOUND], [SOUND], [UNSCOPED], [FORGED], [SOUND, SOUND], []];

const session = (secret: string) => sealedSession({ ...SIGN_IN, secret, claims: { sub: 'ann' } });
const [SIGNED_IN, SEALED_ELSEWHERE] = [session(KEYS.SESSION_SECRET), session('another secret')].map(
  (value) => `theme=dark; __Host-sallyport=${value}`,
);
/** Two at once are none. */
const SESSIONS: readonly (readonly string[])[] = [
  [SIGNED_IN],
  [SIGNED_IN],
  [SIGNED_IN, SIGNED_IN],
  [SEALED_ELSEWHERE],
  ['theme=dark'],
  [],
];

const TWO_TENANTS = ['X-Tenant', 'a', 'X-Tenant', 'b'];

function readOrder(dice: Dice): Draft {
  return {
    method: dice.pick(['GET', 'GET', 'HEAD', 'PUT']),
    host: dice.pick(['api.test', 'API.Test:8080', 'eu.api.test.']),
    path: `/orders/${dice.pick(['7', '12', '999', '1000', 'x', '0x10', '%31%32', '1%2E5', '9e1'])}`,
    query: dice.pick(['', '', 'page=2', 'page=0', 'page=x']),
    fields: keyFields(dice),
  };
}

function createOrder(dice: Dice): Draft {
  return {
    method: 'POST',
    host: 'api.test',
    path: '/orders',
    body: dice.pick(ORDERS),
    fields: [...keyFields(dice), ...contentFields(dice)],
  };
}

const keyFields = (dice: Dice): readonly string[] =>
  dice.oneIn(3) ? dice.pick(ODD_KEYS) : ['X-API-Key', dice.pick([KEYS.ANN_KEY, KEYS.ANN_KEY, KEYS.BEN_KEY])];

const contentFields = (dice: Dice): readonly string[] =>
  dice.oneIn(4) ? dice.pick(ODD_CONTENTS) : ['Content-Type', 'application/json'];

const ORDERS: readonly (string | Uint8Array)[] = [
  '{"item":"tea","count":2}',
  '{"item":"tea","count":2}',
  '{"item":"tea","count":99,"tags":["a","b"]}',
  '{"item":"tea","count":1,"tags":["a","a"]}',
  '{"item":"tea","count":100}',
  '{"item":"TEA","count":1}',
  '{"item":"tea"}',
  '{"item":"tea","count":1,"price":0}',
  '{"item":"tea","count":1,"count":2}',
  '{"item":"tea","count":1,"__proto__":{}}',
  '{"item":"tea","count":1e999}',
  '{"item":"tea","count":1,"tags":[[[["deep"]]]]}',
  '{"item":"tea","count":',
  '\ufeff{"item":"tea","count":1}',
  'null',
  '',
  Buffer.from('{"item":"caf\xe9","count":1}', 'latin1'),
  `{"item":"${'t'.repeat(3000)}","count":1}`,
];

const ODD_CONTENTS: readonly (readonly string[])[] = [
  [],
  ['content-type', 'Application/JSON; charset="utf-8"'],
  ['Content-Type', 'application/json; charset=latin1'],
  ['Content-Type', 'application/json;'],
  ['Content-Type', 'text/plain'],
  ['Content-Type', 'json'],
  ['Content-Type', 'application/json', 'Content-Type', 'application/json'],
  ['Content-Type', 'application/json', 'Content-Encoding', 'gzip'],
];

const HOSTS = [
  'api.test',
  'evil-api.test',
  'a_b.api.test',
  '[2001:DB8::1]:80',
  '192.0.2.1',
  // No hosts at all:
  '',
  'api..test',
  'user@api.test',
  'api.test:',
  'api.test:99999',
  'api test',
  '[::1',
];

/** Other ways to write a path, of which some are refused at one listener or at both. */
const BENDS: readonly ((path: string) => string)[] = [
  (path) => `/${path}`,
  (path) => `/.${path}`,
  (path) => `/x/..${path}`,
  (path) => `/%2e${path}`,
  (path) => path.replace('e', '%65'),
  (path) => path.replace('o', '%6F'),
  (path) => `${path}/`,
  (path) => `${path}/.`,
  (path) => `${path}/..`,
  (path) => `${path}-%c3%a9`,
  (path) => `/..${path}`,
  (path) => `${path}%2Fa`,
  (path) => `${path}/..%2f`,
  (path) => `${path};v=1`,
  (path) => `/..;${path}`,
  (path) => `${path}%00`,
  (path) => `${path}%252e`,
  (path) => `${path}%zz`,
  (path) => `${path}%`,
  (path) => `${path}\\a`,
  (path) => `${path}%c0%ae`,
];

const QUERIES = [
  'page=1&page=2',
  'page=0x10',
  'page=%zz',
  'page=+3',
  'q=a+b&page=3',
  '?',
  '&&',
  'page=1e999',
];

/** Who says to be the client; believed from one of the two peers. */
const CLIENTS: readonly (readonly string[])[] = [
  [],
  ['X-Forwarded-For', '198.51.100.7'],
  ['X-Forwarded-For', '198.51.100.7'],
  ['X-Forwarded-For', '::ffff:198.51.100.7'],
  ['X-Forwarded-For', '198.51.100.8'],
  ['X-Forwarded-For', '198.51.100.9'],
  ['X-Forwarded-For', '198.51.100.10'],
  ['X-Forwarded-For', '2001:db8:1::1'],
  ['X-Forwarded-For', '2001:db8:1::2'],
  ['X-Forwarded-For', '2001:DB8:0002:0::1'],
  ['X-Forwarded-For', '192.0.2.1'],
];

const ODD_CLIENTS: readonly (readonly string[])[] = [
  ['X-Forwarded-For', '198.51.100.8, 10.1.2.3'],
  ['X-Forwarded-For', 'nonsense, 198.51.100.9'],
  ['X-Forwarded-For', '203.0.113.5', 'X-Forwarded-For', '198.51.100.10'],
  ['X-Forwarded-For', '10.9.9.9,10.1.2.3'],
  ['X-Forwarded-For', ''],
  ['X-Forwarded-For', '203.0.113.5'],
  ['X-Forwarded-For', '2001:db8:bad:7::1'],
  ['X-Forwarded-For', '192.0.2.66'],
  ['X-Forwarded-For', '198.51.100.7:80'],
  ['X-Forwarded-For', '198.51.100.7, nonsense'],
];

const ODD_KEYS: readonly (readonly string[])[] = [
  [],
  ['x-api-key', KEYS.BEN_KEY],
  ['X-API-Key', KEYS.MAL_KEY],
  ['X-API-Key', KEYS.MAL_KEY],
  ['X-API-Key', KEYS.BEN_OLD_KEY],
  ['X-API-Key', 'nobody-key-0123456789abcdef'],
  ['X-API-Key', 'caf\xe9'],
  ['X-API-Key', ''],
  ['X-API-Key', KEYS.ANN_KEY, 'X-API-Key', KEYS.ANN_KEY],
];

const KEYS_IN_QUERY = [`key=${KEYS.BEN_KEY}`, `key=${KEYS.MAL_KEY}`, 'key=', 'key=1&key=2', 'page=1'];

/** Two of them at once are none. */
const ORIGINS: readonly (readonly string[])[] = [
  ['https://eu.shop.test'],
  ['https://eu.shop.test'],
  ['https://partner.test'],
  ['https://partner.test'],
  ['https://partner.test.evil.test'],
  ['null'],
  ['https://eu.shop.test', 'https://partner.test'],
];
