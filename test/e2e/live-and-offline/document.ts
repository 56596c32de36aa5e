/** A document with every policy there is, at listeners and routes, in every mode, and what it refers to. */
import type { Document } from '../../fixtures/gateway.ts';
import { WAYS_IN } from './ways.ts';

/** By the name in the environment that the document refers to. */
export const KEYS = {
  ANN_KEY: 'ann-key-0123456789abcdef',
  BEN_KEY: 'ben-key-0123456789abcdef',
  BEN_OLD_KEY: 'ben-old-key-0123456789abcdef',
  MAL_KEY: 'mal-key-0123456789abcdef',
  ANN_PASSWORD: 'ann-password-0123456789',
  ANN_SIGNING_SECRET: 'ann-signing-secret-0123456789abcdef',
  TOKEN_SECRET: 'token-secret-0123456789abcdef-0123456789',
  SESSION_SECRET: 'session-secret-0123456789abcdef-0123',
  LOGIN_SECRET: 'login-secret-0123456789abcdef',
} as const;

export const FILES = {
  'deny.txt': '# known for trouble\n203.0.113.0/24\n2001:db8:bad::/48 ; a whole site\n',
  'order.schema.json': JSON.stringify({
    type: 'object',
    required: ['item', 'count'],
    additionalProperties: false,
    properties: {
      item: { type: 'string', pattern: '^[a-z]{1,20}$' },
      count: { type: 'integer', minimum: 1, maximum: 99 },
      tags: { type: 'array', items: { type: 'string' }, uniqueItems: true },
    },
  }),
} as const;

/** Two listeners: one strict, behind trusted proxies; one lenient, whose callers are who their sockets say. */
export interface ListenerPorts {
  readonly public: number;
  readonly inner: number;
}

/**
 * Limits of this name have windows so short that what they say hangs on how fast the run is. They are in shadow, so
 * that nothing else does.
 */
export const BRIEF = 'brief';

export function everyPolicy(ports: ListenerPorts, upstream: string): Document {
  return {
    sallyport: 1,
    // Offline nobody is ever too busy.
    overload: 'off',
    listeners: [publicListener(ports.public), innerListener(ports.inner)],
    upstreams: { origin: { targets: [upstream] } },
    lists: { kept: { entries: KEPT } },
    consumers: CONSUMERS,
    routes: [
      READ_ORDER,
      CREATE_ORDER,
      TENANT,
      REPORT,
      NEW_REPORT,
      UNDECIDED,
      SHADOWED,
      TOKENS,
      SIGNED_IN,
      DESK,
      SIGNED,
      ...WAYS_IN,
      PLAIN,
      { name: 'inner', listeners: ['inner'], match: { path: '/**' }, upstream: 'origin', policies: INNER },
    ],
  };
}

const key = (name: keyof typeof KEYS, more: Readonly<Record<string, string>> = {}) => ({
  'api-key': { secret: `env:${name}`, ...more },
});

const KEPT = [
  { network: '198.51.100.9', expires: '2020-01-31' },
  { network: '198.51.100.8/29', reason: 'scans', owner: 'ops' },
];

const CONSUMERS = [
  {
    name: 'ann',
    groups: ['staff'],
    credentials: [
      key('ANN_KEY'),
      { 'basic-auth': { username: 'ann', password: 'env:ANN_PASSWORD' } },
      { 'hmac-signature': { keyId: 'ann-signs', secret: 'env:ANN_SIGNING_SECRET' } },
    ],
  },
  {
    name: 'ben',
    groups: ['partners'],
    credentials: [key('BEN_KEY'), key('BEN_OLD_KEY', { expires: '2020-01-31' })],
  },
  { name: 'mal', credentials: [key('MAL_KEY')] },
  { name: 'guest', groups: ['public'] },
];

const publicListener = (port: number) => ({
  name: 'public',
  address: `127.0.0.1:${port}`,
  trustedProxies: ['127.0.0.1', '10.0.0.0/8'],
  policies: [
    { 'security-headers': {} },
    { 'ip-list': { denyFile: './deny.txt', deny: ['192.0.2.66'] } },
    { 'ip-list': { allow: ['198.51.100.0/24', '2001:db8::/32'] }, name: 'trial', mode: 'shadow' },
    { 'ip-list': { deny: ['list:kept'] }, name: 'kept', mode: 'shadow' },
    { 'rate-limit': { by: 'address', limit: 240, window: '1h', name: 'per-address' } },
    { concurrency: { limit: 1000, by: 'address', headers: 'none' } },
    { 'rate-limit': { by: 'address', limit: 5, window: '100ms', burst: 3 }, name: BRIEF, mode: 'shadow' },
    // Decided by the very millisecond: a request judged offline at another time than live is found out.
    { headers: { request: { set: { 'x-client': `\${client}` } } }, when: 'now % 2 == 0' },
    { acl: { allow: 'everyone', deny: { methods: ['DELETE'] } }, mode: 'off' },
  ],
});

const innerListener = (port: number) => ({
  name: 'inner',
  address: `127.0.0.1:${port}`,
  encodedSlashes: 'keep',
  semicolons: 'keep',
  underscoreHeaders: 'keep',
  policies: [{ 'security-headers': { preset: 'web' }, when: 'request.method in ["GET", "HEAD"]' }],
});

const ORDER_ID = { type: 'object', properties: { id: { type: 'integer', maximum: 999 } } };
const PAGE = { type: 'object', properties: { page: { type: 'integer', minimum: 1 } } };
const BRIEF_WINDOWS = { by: 'route', limit: 2, window: '30ms', algorithm: 'sliding-window' };
/** A limit of each algorithm; whose path is longer pays more. */
const SEVERAL = {
  limits: [
    { limit: 200, window: '1h', burst: 20 },
    { limit: 120, window: '2h', burst: 40, algorithm: 'token-bucket' },
    { limit: 50, window: '1d', algorithm: 'fixed-window' },
    { limit: 60, window: '2d', algorithm: 'sliding-window' },
  ],
  by: { expression: 'request.method + " " + request.headers["x-tenant"]' },
  cost: { expression: 'size(request.path) - 12', max: 8 },
  headers: 'envoy',
};
const RESERVE = { limit: 5, by: 'route' };
const TENANT_HEADERS = { type: 'object', required: ['x-tenant'] };
const GOLD = 'request.headers["x-plan"] == "gold"';

const READ_ORDER = {
  name: 'read-order',
  listeners: ['public'],
  match: { hosts: ['api.test', '*.api.test'], path: '/orders/{id}', methods: ['GET', 'PUT'] },
  upstream: 'origin',
  policies: [
    { cors: { origins: ['https://*.shop.test'], methods: ['GET', 'PUT'], credentials: true } },
    { 'api-key': {} },
    { acl: { allow: { groups: ['staff', 'partners'] }, deny: [{ consumers: ['ben'], methods: ['PUT'] }] } },
    { 'rate-limit': { by: 'consumer', limit: 40, window: '1h', burst: 20 } },
    { concurrency: { limit: 50, queue: 50, priority: '"staff" in groups ? "high" : "low"' }, mode: 'shadow' },
    { quota: { limit: 12, per: 'year', within: [{ limit: 24, by: 'group' }], spillOver: RESERVE } },
    // It counts, and bans nobody: how soon all workers know of a ban hangs on how fast the run is.
    { 'auto-ban': { after: 1_000_000, window: '1h', for: ['forbidden', 'rate'], ban: '1s', by: 'consumer' } },
    { validate: { params: ORDER_ID, query: PAGE } },
    { headers: { response: { rename: { 'x-origin': 'x-served-by' } } } },
  ],
};

const CREATE_ORDER = {
  name: 'create-order',
  listeners: ['public'],
  match: { hosts: ['api.test', '*.api.test'], path: '/orders', methods: ['POST'] },
  upstream: 'origin',
  maxBody: '4kB',
  policies: [
    { cors: { origins: ['*'] }, mode: 'shadow' },
    { 'api-key': { realm: 'orders' } },
    { 'rate-limit': { algorithm: 'sliding-window', by: 'credential', limit: 60, window: '1h', cost: 2 } },
    { validate: { body: { type: 'object', required: ['tags'] } }, name: 'trial', mode: 'shadow' },
    { validate: { body: 'file:./order.schema.json', maxDepth: 4 } },
  ],
};

const TENANT = {
  name: 'tenant',
  listeners: ['public'],
  match: { path: '/tenants/{tenant}/**' },
  upstream: 'origin',
  policies: [
    { 'rate-limit': { by: { header: 'x-tenant' }, limit: 10, window: '1h' } },
    { 'rate-limit': BRIEF_WINDOWS, name: BRIEF, mode: 'shadow' },
    { 'rate-limit': SEVERAL, name: 'several', mode: 'shadow' },
    { validate: { headers: TENANT_HEADERS }, when: 'route.params["tenant"] != "guest"' },
    { acl: { allow: [{ methods: ['GET', 'POST'] }, { addresses: ['198.51.100.0/24'] }] } },
  ],
};

const REPORT = {
  name: 'report',
  listeners: ['public'],
  match: { paths: ['/reports/*', '/statistics/**'], methods: ['GET'] },
  upstream: 'origin',
  policies: [
    { cors: { origins: ['https://partner.test', 'null'], headers: ['x-version'] } },
    { 'api-key': { query: 'key', hide: false } },
    { 'rate-limit': { by: 'route', limit: 10, window: '1h', algorithm: 'sliding-window' } },
    { acl: { allow: 'everyone', deny: { consumers: ['mal'], paths: ['/reports/yearly'] } } },
  ],
};

const NEW_REPORT = {
  name: 'new-report',
  listeners: ['public'],
  match: { path: '/reports/*', methods: ['GET'], headers: { 'x-version': '2' } },
  upstream: 'origin',
  policies: [{ 'ip-list': { allow: ['198.51.100.0/24'] }, when: 'request.host.endsWith(".api.test")' }],
};

/** Where the header or parameter that is asked for is not there, `when` cannot be decided. */
const UNDECIDED = {
  name: 'undecided',
  listeners: ['public'],
  match: { path: '/undecided/**' },
  upstream: 'origin',
  policies: [
    { headers: { response: { set: { 'x-plan': 'gold' } } }, when: GOLD, onError: 'continue' },
    { 'rate-limit': { limit: 1, window: '1h' }, when: GOLD, mode: 'shadow' },
    { acl: { allow: { methods: ['GET'] } }, when: 'int(request.query["page"]) > 3' },
  ],
};

/** Who would have to be asked of others is not there: neither live nor offline is anybody asked. */
const UNASKED = [
  {
    'oauth2-introspection': {
      endpoint: 'http://127.0.0.1:1/introspect',
      bearerToken: 'env:TOKEN_SECRET',
      audience: 'orders',
    },
    when: '!("authorization" in request.headers)',
    mode: 'shadow',
  },
  { 'external-auth': { url: 'http://127.0.0.1:1/verify' }, when: '"x-ask" in request.headers' },
];

/** Identities that shadow attachments find are seen by shadow attachments alone. */
const SHADOWED = {
  name: 'shadowed',
  listeners: ['public'],
  match: { path: '/shadowed/**' },
  upstream: 'origin',
  policies: [
    { 'api-key': {}, mode: 'shadow' },
    // Nobody has a certificate here.
    { mtls: {}, mode: 'shadow', name: 'trial' },
    { acl: { allow: { groups: ['staff'] } }, mode: 'shadow' },
    { 'rate-limit': { by: 'consumer', limit: 8, window: '1h', headers: 'none' }, mode: 'shadow' },
    { acl: { allow: { methods: ['GET'] } }, when: 'consumer == ""', name: 'nobody' },
    ...UNASKED,
  ],
};

/** Whose tokens are taken is said beside the resource that takes them. */
const TOKENS = {
  name: 'tokens',
  listeners: ['public'],
  match: { path: '/tokens/**' },
  upstream: 'origin',
  policies: [
    {
      'resource-metadata': {
        resource: 'https://api.test/tokens',
        authorizationServers: ['https://login.test'],
        path: '/tokens/metadata',
      },
    },
    {
      jwt: {
        issuer: 'https://login.test',
        audience: 'orders',
        keys: [{ secret: 'env:TOKEN_SECRET' }],
        scopes: ['orders.read'],
      },
    },
  ],
};

export const SIGN_IN = { issuer: 'http://127.0.0.1:1', clientId: 'app' } as const;

/** Nobody is sent to the provider, who is not there. */
const SIGNED_IN = {
  name: 'signed-in',
  listeners: ['public'],
  match: { path: '/signed-in/**' },
  upstream: 'origin',
  policies: [
    {
      'oidc-login': {
        ...SIGN_IN,
        publicUrl: 'https://app.test',
        clientSecret: 'env:LOGIN_SECRET',
        unauthenticated: 401,
        session: { secrets: ['env:SESSION_SECRET'] },
      },
    },
  ],
};

const DESK = {
  name: 'desk',
  listeners: ['public'],
  match: { path: '/desk/**' },
  upstream: 'origin',
  policies: [{ 'basic-auth': { realm: 'desk' } }],
};

const SIGNED = {
  name: 'signed',
  listeners: ['public'],
  match: { path: '/signed/**' },
  upstream: 'origin',
  policies: [{ 'hmac-signature': { maxAge: '1h' } }],
};

const PLAIN = {
  name: 'plain',
  listeners: ['public'],
  match: { hosts: ['*.api.test'], path: '/plain/**', methods: ['GET', 'POST', 'OPTIONS'] },
  upstream: 'origin',
  policies: [
    { 'adaptive-limit': { limit: 2, window: '1h', by: 'address' } },
    { 'upstream-auth': { bearer: { token: 'env:TOKEN_SECRET' } } },
  ],
};

const INNER = [
  { 'rate-limit': { by: 'address', limit: 60, window: '1h', algorithm: 'sliding-window' } },
  { cors: { origins: ['https://partner.test'] }, when: 'request.path.startsWith("/pages/")' },
  { validate: { query: PAGE, body: { type: 'object' } }, when: 'request.method == "POST"' },
];
