import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawClient, statusOf, values } from '../fixtures/raw-client.ts';
import { mintSecret } from '../fixtures/tokens.ts';
import { Stage } from './stage.ts';

/** Who is limited, and comes again as somebody else: every way to be counted anew has to be shut. */

const FIRST_KEY = 'first-key-of-mobile-app-0123456789abcdef';
const SECOND_KEY = 'second-key-of-mobile-app-0123456789abcdef';
const SIGNING_SECRET = 'signing-secret-0123456789abcdef-0123456789';

/** Requests that are let on; windows are so long that none ends during the test. */
const LIMIT = 3;
const limit = (by: unknown, more: object = {}) => ({
  'rate-limit': { limit: LIMIT, window: '1d', by, headers: 'none', ...more },
});
const JWT = {
  jwt: {
    issuer: 'https://login.test',
    audience: 'orders',
    keys: [{ secret: 'env:SALLYPORT_TEST_SECRET' }],
  },
};

const route = (name: string, policies: readonly unknown[], match: object = {}) => ({
  name,
  match: { path: `/${name}/**`, ...match },
  upstream: 'origin',
  policies,
});

const SPELLED = 'request.path';

const ROUTES = [
  route('address', [limit('address')]),
  route('mapped', [limit('address')]),
  route('network', [limit({ address: { ipv4: 24, ipv6: 48 } })]),
  route('unknown', [limit({ header: 'x-tenant' })]),
  route('header', [limit({ header: 'X-Tenant' })]),
  route('route', [limit('route')]),
  route('spelled', [limit({ expression: SPELLED })]),
  route('method', [limit('address')]),
  route('query', [limit('address')]),
  route('consumer', [{ 'api-key': {} }, limit('consumer')]),
  route('credential', [{ 'api-key': {} }, limit('credential')]),
  route('group', [JWT, limit('group')]),
  route('claim', [JWT, limit({ claim: 'tenant' })]),
  route('odd-claim', [JWT, limit({ claim: 'tenant' })]),
  route('token', [JWT, limit('consumer')]),
  route('cost', [
    limit('address', { limit: 10, cost: { expression: 'int(request.headers["x-count"])', max: 5 } }),
  ]),
  route('shadow', [{ ...limit('address'), mode: 'shadow' }, limit('address')]),
  route('guessed', [limit('address', { count: { codes: ['invalid-credential'] } }), { 'api-key': {} }]),
];

const token = (claims: object): string =>
  mintSecret(SIGNING_SECRET, {
    iss: 'https://login.test',
    aud: 'orders',
    sub: 'ann',
    exp: Math.floor(Date.now() / 1000) + 3600,
    ...claims,
  });

/** A request by its target, fields and method. */
type Ask = readonly [target: string, fields?: readonly string[], method?: string];

const from = (address: string): readonly string[] => [`X-Forwarded-For: ${address}`];
const bearer = (claims: object): readonly string[] => [`Authorization: Bearer ${token(claims)}`];
const key = (value: string): readonly string[] => [`X-API-Key: ${value}`];

describe('a limit', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({
      listener: { trustedProxies: ['127.0.0.1'] },
      routes: ROUTES,
      workers: 2,
      document: {
        consumers: [
          {
            name: 'mobile-app',
            credentials: [
              { 'api-key': { secret: 'env:SALLYPORT_TEST_FIRST_KEY' } },
              { 'api-key': { secret: 'env:SALLYPORT_TEST_SECOND_KEY' } },
            ],
          },
        ],
        bruteForce: 'off',
      },
      env: {
        SALLYPORT_TEST_FIRST_KEY: FIRST_KEY,
        SALLYPORT_TEST_SECOND_KEY: SECOND_KEY,
        SALLYPORT_TEST_SECRET: SIGNING_SECRET,
      },
    });
  });
  after(() => stage.close());

  /** Statuses, one after the other, each on a connection of its own. */
  async function send(asks: readonly Ask[]): Promise<readonly number[]> {
    const statuses: number[] = [];
    for (const [target, fields = [], method = 'GET'] of asks) {
      const client = await RawClient.connect(stage.gateway.port, { methods: [method] });
      const lines = [`${method} ${target} HTTP/1.1`, 'Host: api.test', ...fields, 'Connection: close'];
      client.send(`${lines.join('\r\n')}\r\n\r\n`);
      const response = await client.response();
      assert.ok(response, `${target} was not answered`);
      statuses.push(statusOf(response));
      if (statusOf(response) === 429) assert.match(values(response, 'retry-after')[0], /^[1-9][0-9]*$/);
      client.close();
    }
    return statuses;
  }

  const OK = 200;
  const TOO_MANY = 429;
  /** The first are let on, as many as the limit says, and none of the others. */
  const held = (asks: readonly Ask[]): readonly number[] => asks.map((_, i) => (i < LIMIT ? OK : TOO_MANY));

  /** Callers who are one, however they come. */
  const ONE: readonly [what: string, asks: readonly Ask[]][] = [
    [
      'a subscriber with a /64 of IPv6, in all its spellings',
      [
        ['/address/a', from('2001:db8:1:2::1')],
        ['/address/a', from('2001:db8:1:2:ffff:ffff:ffff:ffff')],
        ['/address/a', from('2001:DB8:1:2::ABCD')],
        ['/address/a', from('2001:0db8:0001:0002:0000:0000:0000:0007')],
        ['/address/a', from('2001:db8:1:2::192.0.2.1')],
      ],
    ],
    [
      'an IPv4 address, as one of IPv6 too',
      [
        ['/mapped/a', from('198.51.100.7')],
        ['/mapped/a', from('::ffff:198.51.100.7')],
        ['/mapped/a', from('::FFFF:c633:6407')],
        ['/mapped/a', from('0:0:0:0:0:ffff:198.51.100.7')],
        ['/mapped/a', from('203.0.113.5, 198.51.100.7')],
      ],
    ],
    [
      'a network as wide as the document says',
      [
        ['/network/a', from('198.51.100.7')],
        ['/network/a', from('198.51.100.200')],
        ['/network/a', from('::ffff:198.51.100.9')],
        ['/network/a', from('198.51.100.0')],
      ],
    ],
    [
      'a header, however its name is written',
      [
        ['/header/a', ['X-Tenant: a']],
        ['/header/a', ['x-tenant: a']],
        ['/header/a', ['X-TENANT:  a ']],
        ['/header/a', ['x-TENANT: a', 'X-Forwarded-For: 198.51.100.9']],
        ['/header/a', ['X-Tenant:a']],
      ],
    ],
    [
      'who cannot be told apart by a header: without it, with two, with an empty one',
      [
        ['/unknown/a'],
        ['/unknown/a', ['X-Tenant: a', 'X-Tenant: b']],
        ['/unknown/a', ['X-Tenant: c', 'x-tenant: c']],
        ['/unknown/a', ['X-Tenant:']],
        ['/unknown/a', ['X-Tenant: d', 'x-tenant: e']],
      ],
    ],
    [
      'a route, in every spelling of its path',
      [
        ['/route/a', from('198.51.100.1')],
        ['/%72oute/b', from('198.51.100.2')],
        ['//route//c', from('198.51.100.3')],
        ['/./route/d', from('198.51.100.4')],
        ['/x/../route/e', from('198.51.100.5')],
        ['/route/%2e/f?a=b', from('198.51.100.6')],
      ],
    ],
    [
      'a path by an expression, in every spelling of it',
      [
        ['/spelled/a'],
        ['/spelled/%61'],
        ['//spelled//a'],
        ['/spelled/./a'],
        ['/spelled/b/../a?x=1'],
        ['/%73pelled/a'],
      ],
    ],
    [
      'a caller with any method',
      [
        ['/method/a'],
        ['/method/a', [], 'HEAD'],
        ['/method/a', ['Content-Length: 0'], 'POST'],
        ['/method/a', [], 'HEAD'],
        ['/method/a', [], 'OPTIONS'],
        ['/method/a', ['Content-Length: 0'], 'PUT'],
      ],
    ],
    [
      'a caller with any query, path and header that nobody asked for',
      [
        ['/query/a?n=1'],
        ['/query/b?n=2'],
        ['/query/c', ['Cache-Control: no-cache']],
        ['/query/d?n=4', ['X-Real-IP: 203.0.113.7']],
        ['/query/e', ['X-Client-IP: 203.0.113.7', 'True-Client-IP: 203.0.113.8']],
        ['/query/f', ['Forwarded: for=203.0.113.9']],
      ],
    ],
    [
      'a consumer with many keys, from many addresses',
      [
        ['/consumer/a', [...key(FIRST_KEY), ...from('198.51.100.1')]],
        ['/consumer/a', [...key(SECOND_KEY), ...from('198.51.100.2')]],
        ['/consumer/a', [...key(FIRST_KEY), ...from('198.51.100.3')]],
        ['/consumer/a', [...key(SECOND_KEY), ...from('198.51.100.4')]],
        ['/consumer/a', [...key(FIRST_KEY), ...from('198.51.100.5')]],
      ],
    ],
    [
      'a consumer with a new token each time',
      [
        ['/token/a', bearer({ jti: '1' })],
        ['/token/a', bearer({ jti: '2', scope: 'a' })],
        ['/token/a', bearer({ jti: '3', groups: ['x'] })],
        ['/token/a', bearer({ jti: '4', tenant: 'y' })],
      ],
    ],
    [
      'several groups, in whatever order a token lists them',
      [
        ['/group/a', bearer({ groups: ['staff', 'admins', 'users'] })],
        ['/group/a', bearer({ groups: ['users', 'staff', 'admins'] })],
        ['/group/a', bearer({ groups: ['admins', 'users', 'staff'], sub: 'ben' })],
        ['/group/a', bearer({ groups: ['staff', 'users', 'admins'] })],
      ],
    ],
    [
      'a claim, as a number and as a text',
      [
        ['/claim/a', bearer({ tenant: 1 })],
        ['/claim/a', bearer({ tenant: '1' })],
        ['/claim/a', bearer({ tenant: 1, sub: 'ben' })],
        ['/claim/a', bearer({ tenant: '1', sub: 'ben' })],
      ],
    ],
    [
      'whoever has a claim that is neither, by address',
      [
        ['/odd-claim/a', bearer({ tenant: ['a'] })],
        ['/odd-claim/a', bearer({ tenant: { a: 1 } })],
        ['/odd-claim/a', bearer({ sub: 'ben' })],
        ['/odd-claim/a', bearer({ tenant: true })],
        ['/odd-claim/a', bearer({ tenant: '' })],
      ],
    ],
    [
      'a caller who is counted in shadow as well',
      [['/shadow/a'], ['/shadow/a'], ['/shadow/a'], ['/shadow/a'], ['/shadow/a']],
    ],
  ];
  for (const [what, asks] of ONE) {
    it(`holds ${what}`, async () => assert.deepEqual(await send(asks), held(asks)));
  }

  /** Others are not held for what one did. */
  const OTHERS: readonly [what: string, ask: Ask][] = [
    ['the next /64', ['/address/a', from('2001:db8:1:3::1')]],
    ['another IPv4 address', ['/mapped/a', from('198.51.100.8')]],
    ['another IPv6 address that ends like an IPv4 one', ['/mapped/a', from('::fffe:c633:6407')]],
    ['another network', ['/network/a', from('198.51.101.7')]],
    ['another tenant', ['/header/a', ['X-Tenant: b']]],
    ['who names itself like an address', ['/unknown/a', ['X-Tenant: 127.0.0.1']]],
    ['another path', ['/spelled/A']],
    ['another group', ['/group/a', bearer({ groups: ['users', 'staff'] })]],
    ['another tenant by claim', ['/claim/a', bearer({ tenant: 2 })]],
  ];
  for (const [what, ask] of OTHERS) {
    it(`lets on ${what}`, async () => assert.deepEqual(await send([ask]), [OK]));
  }

  it('by credential counts each key by itself', async () => {
    const asks = [FIRST_KEY, FIRST_KEY, FIRST_KEY, FIRST_KEY, SECOND_KEY].map((secret): Ask => {
      return ['/credential/a', key(secret)];
    });
    assert.deepEqual(await send(asks), [OK, OK, OK, TOO_MANY, OK]);
  });

  it('takes the most for a cost that a client lies about', async () => {
    const asks = ['-9', '', 'x', '1e9'].map((count): Ask => ['/cost/a', [`X-Count: ${count}`]]);
    assert.deepEqual(await send(asks), [OK, OK, TOO_MANY, TOO_MANY]);
    const twice: Ask = ['/cost/a', [...from('198.51.100.1'), 'X-Count: 0', 'X-Count: 0']];
    assert.deepEqual(await send([twice, twice, twice]), [OK, OK, TOO_MANY]);
  });

  it('of wrong guesses is not lifted by right ones in between', async () => {
    const guess: Ask = ['/guessed/a', key('a-wrong-key-0123456789abcdef-0123456789')];
    const right: Ask = ['/guessed/a', key(FIRST_KEY)];
    const asks = [right, guess, right, right, guess, right, right, guess, right, guess];
    assert.deepEqual(await send(asks), [200, 401, 200, 200, 401, 200, 200, 401, 429, 429]);
  });
});
