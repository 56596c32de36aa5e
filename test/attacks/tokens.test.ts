import assert from 'node:assert/strict';
import { createHmac, createPublicKey, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { KeyServer } from '../fixtures/key-server.ts';
import { eventually } from '../fixtures/process.ts';
import { values } from '../fixtures/raw-client.ts';
import {
  compact,
  mint,
  mintSecret,
  proofOf,
  signer,
  thumbprint,
  tokenHash,
  tokenKey,
} from '../fixtures/tokens.ts';
import { type Outcome, Stage, type StageParts } from './stage.ts';

/** Items 25 to 34: tokens, forged in every known way, and keys that come and go. */

const rsa = tokenKey('RS256', 'rsa');
const ec = tokenKey('ES256', 'ec');
const stranger = tokenKey('RS256', 'rsa');
const caller = tokenKey('ES256', 'caller');
const now = () => Math.floor(Date.now() / 1000);
const OFF = { bruteForce: 'off' };

interface World {
  readonly issuer: KeyServer;
  readonly stage: Stage;
  /** Sound claims, but for what is said. */
  claims(more?: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  get(authorization: string | readonly string[], fields?: string): Promise<Outcome>;
  status(authorization: string): Promise<number>;
  close(): Promise<void>;
}

async function open(
  config: Readonly<Record<string, unknown>> = {},
  parts: StageParts & { readonly issuer?: KeyServer } = {},
): Promise<World> {
  const { issuer: given, ...more } = parts;
  const issuer = given ?? (await KeyServer.start([rsa, ec]));
  const jwt = { issuer: issuer.issuer, audience: 'orders', ...config };
  const stage = await Stage.open({ policies: [{ jwt }], document: OFF, ...more });
  const get = (authorization: string | readonly string[], fields = '') => {
    const list = typeof authorization === 'string' ? [authorization] : authorization;
    const lines = list.map((one) => `Authorization: ${one}\r\n`).join('');
    return stage.send(`GET /orders HTTP/1.1\r\nHost: a.test\r\n${lines}${fields}\r\n`);
  };
  return {
    issuer,
    stage,
    get,
    claims: (claims = {}) => ({
      iss: issuer.issuer,
      aud: 'orders',
      sub: 'ann',
      iat: now(),
      exp: now() + 300,
      ...claims,
    }),
    status: async (authorization) => (await get(authorization)).statuses[0],
    close: async () => {
      await stage.close();
      await issuer.stop();
    },
  };
}

describe('items 25 to 32: forged tokens', () => {
  let world: World;
  before(async () => {
    world = await open();
    assert.equal(await world.status(`Bearer ${mint(rsa, world.claims())}`), 200);
    assert.equal(await world.status(`Bearer ${mint(ec, world.claims())}`), 200);
  });
  after(() => world.close());

  const unsigned = (header: Readonly<Record<string, unknown>>, claims: Readonly<Record<string, unknown>>) =>
    compact(header, claims, () => Buffer.alloc(0));
  const anySignature = () => Buffer.from('x'.repeat(256));
  const hs = (secret: string | Uint8Array) => (input: string) =>
    createHmac('sha256', secret).update(input).digest();
  const spki = createPublicKey(rsa.privateKey).export({ format: 'der', type: 'spki' });
  const pkcs1 = createPublicKey(rsa.privateKey).export({ format: 'pem', type: 'pkcs1' }).toString();
  const SIGNED: readonly (readonly [name: string, header: Readonly<Record<string, unknown>>])[] = [
    ['item 27: an embedded key', { jwk: stranger.jwk }],
    ['item 29: an unknown critical extension', { crit: ['tenant'], tenant: 'a' }],
    ['item 29: a critical extension that is not there', { crit: ['tenant'] }],
    ['item 29: an empty list of critical extensions', { crit: [] }],
    ['item 29: an unencoded payload', { crit: ['b64'], b64: false }],
    ['a type of another kind', { typ: 'logout+jwt' }],
    ['a type of a proof', { typ: 'dpop+jwt' }],
    ['a type that is no text', { typ: ['at+jwt'] }],
  ];
  const CLAIMS: readonly (readonly [name: string, more: Readonly<Record<string, unknown>>])[] = [
    ['expired', { exp: 1 }],
    ['expired a minute ago', { exp: now() - 60 }],
    ['without an end', { exp: undefined }],
    ['with an end that is a text', { exp: String(now() + 300) }],
    ['with an end in milliseconds', { exp: (now() + 300) * 1000 }],
    ['with an end that is null', { exp: null }],
    ['not good yet', { nbf: now() + 120 }],
    ['with a begin that is a text', { nbf: '0' }],
    ['of the future', { iat: now() + 120 }],
    ['of another issuer', { iss: 'https://evil.test' }],
    ['of a list of issuers', { iss: ['https://evil.test'] }],
    ['without an issuer', { iss: undefined }],
    ['for another audience', { aud: 'billing' }],
    ['for other audiences', { aud: ['billing', 'orders2'] }],
    ['for an audience in an object', { aud: { orders: 1 } }],
    ['without an audience', { aud: undefined }],
    ['bound to a key', { cnf: { jkt: thumbprint(caller) } }],
    ['bound to a certificate', { cnf: { 'x5t#S256': 'a'.repeat(43) } }],
    ['bound in an unknown way', { cnf: { 'x5t#S512': 'a' } }],
  ];
  const KIDS = [
    '../../../../dev/null',
    '/proc/sys/kernel/randomize_va_space',
    'file:///etc/passwd',
    'http://127.0.0.1/jwks',
    "x' UNION SELECT 'secret' --",
    'rsa; cat /etc/passwd',
    '|/bin/true',
    'rsa\u0000',
    'rsa ',
    'RSA',
    '__proto__',
    'constructor',
    '',
  ];

  const forged = (): readonly (readonly [name: string, token: string])[] => {
    const claims = world.claims();
    const [header, payload, signature] = mint(rsa, claims).split('.');
    const body = JSON.stringify(claims);
    const twice = (member: string) => `${body.slice(0, -1)},${member}}`;
    return [
      ...['none', 'None', 'NONE', 'nOnE', '', ' none', 'none\u0000'].flatMap((alg) => [
        [`item 25: alg ${JSON.stringify(alg)} without a signature`, unsigned({ alg }, claims)] as const,
        [
          `item 25: alg ${JSON.stringify(alg)} with a signature`,
          compact({ alg }, claims, anySignature),
        ] as const,
        [
          `item 25: alg ${JSON.stringify(alg)} with a kid`,
          compact({ alg, kid: 'rsa' }, claims, signer(rsa)),
        ] as const,
      ]),
      ['item 25: two parts', `${header}.${payload}`],
      ['item 25: no algorithm', compact({ kid: 'rsa' }, claims, signer(rsa))],
      ...(
        [
          ['PEM', rsa.pem],
          ['PEM without its last line end', rsa.pem.trim()],
          ['PKCS #1', pkcs1],
          ['DER', spki],
          ['JWK', JSON.stringify(rsa.jwk)],
          ['modulus', String(rsa.jwk.n)],
          ['nothing', ''],
        ] as const
      ).flatMap(([name, secret]) => [
        [
          `item 26: the public key as a secret, as ${name}`,
          mintSecret(secret, claims, { kid: 'rsa' }),
        ] as const,
        [`item 26: the same without a kid, as ${name}`, mintSecret(secret, claims)] as const,
        [
          `item 26: the same in lower case, as ${name}`,
          compact({ alg: 'hs256', kid: 'rsa' }, claims, hs(secret)),
        ] as const,
      ]),
      ['item 26: an RSA key for ES256', compact({ alg: 'ES256', kid: 'rsa' }, claims, signer(rsa))],
      [
        'item 26: an EC signature of nothing',
        compact({ alg: 'ES256', kid: 'ec' }, claims, () => Buffer.alloc(64)),
      ],
      ['a stranger’s signature', mint(stranger, claims)],
      ['another signature of the key', `${header}.${payload}.${mint(rsa, { x: 1 }).split('.')[2]}`],
      ...KIDS.map((kid) => [`item 28: kid ${JSON.stringify(kid)}`, mint(stranger, claims, { kid })] as const),
      ['item 28: a kid of 300 characters', mint(rsa, claims, { kid: 'r'.repeat(300) })],
      ['item 28: a kid that is an object', mint(rsa, claims, { kid: { toString: 'rsa' } })],
      ...SIGNED.map(
        ([name, more]) => [name, mint(name.includes('embedded') ? stranger : rsa, claims, more)] as const,
      ),
      ...CLAIMS.map(([name, more]) => [`item 30: ${name}`, mint(rsa, world.claims(more))] as const),
      ['item 31: padding', `${header}.${payload}.${signature}==`],
      ['item 31: padding inside', `${header}=.${payload}.${signature}`],
      ['item 31: a slash and a plus', `${header}.${payload}.${signature.replace(/[A-Za-z0-9]/, '+')}`],
      ['item 31: bits behind the signature', `${header}.${payload}.${loosened(signature)}`],
      ['item 32: a claim twice', mint(rsa, twice('"sub":"root"'))],
      ['item 32: a claim twice, spelt otherwise', mint(rsa, twice('"\\u0073ub":"root"'))],
      ['item 32: a claim twice inside', mint(rsa, twice('"x":{"a":1,"a":2}'))],
      [
        'item 32: an algorithm twice',
        compact('{"alg":"none","alg":"RS256","kid":"rsa"}', claims, signer(rsa)),
      ],
      ['claims that are no object', mint(rsa, JSON.stringify([claims]))],
      ['claims that are no JSON', mint(rsa, 'sub=ann')],
      ['claims with a prototype', mint(rsa, twice('"__proto__":{"sub":"root"}'))],
      ['a token in a token', mint(rsa, mint(rsa, claims), { cty: 'JWT' })],
      ['five parts', `${header}..${payload}.${signature}.x`],
      ['a long token', mint(rsa, world.claims({ filler: 'f'.repeat(10_000) }))],
    ];
  };

  test('are all refused with 401, alike, and never reach the upstream', async (t) => {
    const table = forged();
    const fetched = world.issuer.seen.length;
    const answers = new Map<string, string>();
    // At once: that any of them was forwarded shows in all.
    const outcomes = await Promise.all(table.map(([, token]) => world.get(`Bearer ${token}`)));
    for (const [i, { statuses, forwarded, answers: given }] of outcomes.entries()) {
      const [name] = table[i];
      assert.deepEqual([statuses, forwarded], [[401], []], name);
      assert.match(
        values(given[0], 'www-authenticate').join(),
        /^Bearer realm="api", error="invalid_token"$/,
        name,
      );
      const { requestId: _, instance: __, ...body } = JSON.parse(given[0].body.toString());
      answers.set(JSON.stringify(body), name);
    }
    assert.equal(answers.size, 1, `answers differ: ${[...answers.entries()].join('\n')}`);
    t.diagnostic(`${table.length} forged tokens`);
    assert.ok(
      world.issuer.seen.length <= fetched + 2,
      'and made the issuer asked at most once more for its keys',
    );
    assert.equal(await world.status(`Bearer ${mint(rsa, world.claims())}`), 200);
    assert.doesNotMatch(world.stage.gateway.output, /eyJ/, 'no token is in the log');
  });

  test('ways to send two, or none, are refused', async () => {
    const token = mint(rsa, world.claims());
    for (const [authorization, status] of [
      [[`Bearer ${token}`, `Bearer ${token}`], 401],
      [[`Bearer ${token}`, 'Basic YTpi'], 401],
      [`Bearer ${token}, Bearer ${token}`, 401],
      [`Bearer ${token} ${token}`, 401],
      [`Bearer ${token};`, 401],
      ['Bearer', 401],
      [token, 401],
      [`Token ${token}`, 401],
      [`bearer ${token}`, 200],
      [`BEARER ${token}`, 200],
    ] as const) {
      const { statuses, forwarded } = await world.get(authorization);
      assert.deepEqual([statuses, forwarded.length], [[status], status === 200 ? 1 : 0]);
    }
  });

  test('10 MB of token are not read', async () => {
    const outcome = await world.stage.send(
      `GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer ${'a'.repeat(10_000_000)}\r\n\r\n`,
      { closes: true },
    );
    assert.deepEqual([outcome.statuses, outcome.forwarded], [[431], []]);
  });
});

/** The same signature to lenient readers: a bit behind the last byte is set. */
function loosened(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  assert.notEqual(part.length % 4, 0);
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.slice(-1)) + 1];
}

describe('item 27: what a token points to', () => {
  test('is never fetched', async () => {
    const trap = await KeyServer.start([{ ...stranger, kid: 'trap' }]);
    const world = await open();
    try {
      await world.status(`Bearer ${mint(rsa, world.claims())}`);
      const fetched = world.issuer.seen.length;
      const url = `${trap.issuer}/jwks`;
      for (const header of [
        { jku: url },
        { x5u: url },
        { jku: url, x5u: url, x5c: ['AAAA'], kid: 'trap' },
        { jku: `${world.issuer.issuer}/jwks` },
        { jku: 'file:///etc/passwd' },
        { kid: url },
      ]) {
        assert.equal(await world.status(`Bearer ${mint(stranger, world.claims(), header)}`), 401);
        assert.equal(
          await world.status(`Bearer ${mint(rsa, world.claims({ iss: trap.issuer }), header)}`),
          401,
        );
      }
      assert.equal(await world.status(`Bearer ${mint(rsa, world.claims(), { jku: url, x5u: url })}`), 200);
      assert.deepEqual(trap.seen, []);
      const asked = new Set(world.issuer.seen.slice(fetched));
      assert.deepEqual(
        [...asked].filter((line) => !/openid-configuration|\/jwks$/.test(line)),
        [],
      );
      assert.ok(world.issuer.seen.length <= fetched + 2, 'nothing but its keys, once');
    } finally {
      await world.close();
      await trap.stop();
    }
  });
});

describe('items 33, 34: keys that come and go', () => {
  const next = tokenKey('ES256', 'next');

  test('a rotation needs no restart, and a withdrawn key verifies nothing', async () => {
    const world = await open({ cache: { cooldown: '1ms' } });
    try {
      const old = `Bearer ${mint(ec, world.claims())}`;
      assert.equal(await world.status(old), 200);
      world.issuer.keys = [next];
      assert.equal(await world.status(`Bearer ${mint(next, world.claims())}`), 200);
      assert.equal(await world.status(old), 401, 'though it was remembered');
      assert.equal(await world.status(`Bearer ${mint(ec, world.claims({ jti: 'new' }))}`), 401);
    } finally {
      await world.close();
    }
  });

  test('unknown names are looked for once in a cooldown', async () => {
    const world = await open({ cache: { cooldown: '1h' } });
    try {
      assert.equal(await world.status(`Bearer ${mint(ec, world.claims())}`), 200);
      assert.equal(world.issuer.fetches, 1);
      const kids = Array.from({ length: 50 }, () => randomBytes(8).toString('hex'));
      const statuses = await Promise.all(
        kids.map((kid) => world.status(`Bearer ${mint(stranger, world.claims(), { kid })}`)),
      );
      assert.deepEqual(new Set(statuses), new Set([401]));
      assert.equal(world.issuer.fetches, 2);
    } finally {
      await world.close();
    }
  });

  test('an outage, a page or junk in place of keys changes nothing', async () => {
    const world = await open({ cache: { refresh: '50ms', cooldown: '1ms' } });
    const works = async () => {
      assert.equal(
        await world.status(`Bearer ${mint(ec, world.claims({ jti: randomBytes(4).toString('hex') }))}`),
        200,
      );
      assert.equal(await world.status(`Bearer ${mint(next, world.claims())}`), 401);
    };
    const asked = () => world.issuer.seen.length;
    try {
      await works();
      for (const page of [
        '<html>',
        '{"keys":[]}',
        JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }),
      ]) {
        world.issuer.page = page;
        const before = asked();
        await eventually(async () => asked() > before + 1);
        await works();
      }
      await world.issuer.stop();
      await works();
      assert.match(world.stage.gateway.output, /issuer-keys-unavailable/);
      assert.doesNotMatch(world.stage.gateway.output, /c2VjcmV0/);
    } finally {
      await world.close();
    }
  });

  test('nobody at the start: 503 for tokens, 401 without, and it recovers by itself', async () => {
    const issuer = await KeyServer.at(undefined, [ec]);
    const world = await open({}, { issuer });
    const token = () => `Bearer ${mint(ec, world.claims())}`;
    try {
      const { answers, forwarded } = await world.get(token());
      assert.match(answers[0].startLine, / 503 /);
      assert.match(values(answers[0], 'retry-after').join(), /^[1-9][0-9]?$/);
      assert.equal(JSON.parse(answers[0].body.toString()).type.includes('identity-unavailable'), true);
      assert.deepEqual(forwarded, []);
      assert.deepEqual((await world.get([])).statuses, [401]);
      await issuer.start();
      await eventually(async () => (await world.status(token())) === 200, 20_000);
    } finally {
      await world.close();
    }
  });
});

describe('guesses', () => {
  test('many forged tokens are stopped, right ones with them; expired ones are not counted', async () => {
    const world = await open({}, { document: { bruteForce: { failures: 5, window: '1m' } } });
    try {
      const good = `Bearer ${mint(ec, world.claims())}`;
      for (let i = 0; i < 20; i++)
        assert.equal(await world.status(`Bearer ${mint(ec, world.claims({ exp: now() - 60 - i }))}`), 401);
      assert.equal(await world.status(good), 200);
      for (let i = 0; i < 6; i++)
        assert.equal(await world.status(`Bearer ${mint(stranger, world.claims({ jti: String(i) }))}`), 401);
      assert.equal(await world.status(`Bearer ${mint(stranger, world.claims())}`), 429);
      assert.equal(await world.status(good), 429);
    } finally {
      await world.close();
    }
  });
});

describe('tokens bound to a key', () => {
  let world: World;
  let token: string;
  before(async () => {
    world = await open({ dpop: 'required' }, { workers: 2 });
    token = mint(ec, world.claims({ cnf: { jkt: thumbprint(caller) } }));
  });
  after(() => world.close());

  const proof = (more: Readonly<Record<string, unknown>> = {}, key = caller, header = {}) =>
    proofOf(
      key,
      {
        jti: randomBytes(8).toString('hex'),
        htm: 'GET',
        htu: 'http://a.test/orders',
        iat: now(),
        ath: tokenHash(token),
        ...more,
      },
      header,
    );
  const send = (presented: string, ...fields: readonly string[]) =>
    world.get(presented, fields.map((one) => `DPoP: ${one}\r\n`).join(''));

  test('are refused with any other proof', async () => {
    const other = mint(ec, world.claims({ cnf: { jkt: thumbprint(stranger) } }));
    const table: readonly (readonly [name: string, authorization: string, proofs: readonly string[]])[] = [
      ['as a bearer token', `Bearer ${token}`, [proof()]],
      ['without a proof', `DPoP ${token}`, []],
      ['with two proofs', `DPoP ${token}`, [proof(), proof()]],
      ['with two proofs in one field', `DPoP ${token}`, [`${proof()}, ${proof()}`]],
      ['with a proof of another key', `DPoP ${token}`, [proof({}, tokenKey('ES256'))]],
      ['with a key that is only shown', `DPoP ${token}`, [proof({}, tokenKey('ES256'), { jwk: caller.jwk })]],
      [
        'with a key that is private',
        `DPoP ${token}`,
        [proof({}, caller, { jwk: caller.privateKey.export({ format: 'jwk' }) })],
      ],
      ['for another method', `DPoP ${token}`, [proof({ htm: 'POST' })]],
      ['for another URL', `DPoP ${token}`, [proof({ htu: 'http://a.test/admin' })]],
      ['for another host', `DPoP ${token}`, [proof({ htu: 'http://b.test/orders' })]],
      ['for another scheme', `DPoP ${token}`, [proof({ htu: 'https://a.test/orders' })]],
      ['for another token', `DPoP ${token}`, [proof({ ath: tokenHash('other') })]],
      ['for no token', `DPoP ${token}`, [proof({ ath: undefined })]],
      ['too old', `DPoP ${token}`, [proof({ iat: now() - 120 })]],
      ['of the future', `DPoP ${token}`, [proof({ iat: now() + 120 })]],
      ['without an id', `DPoP ${token}`, [proof({ jti: undefined })]],
      ['that is no proof', `DPoP ${token}`, [proof({}, caller, { typ: 'JWT' })]],
      ['that is not signed', `DPoP ${token}`, [proof({}, caller, { alg: 'none' })]],
      ['with a token of another key', `DPoP ${other}`, [proof({ ath: tokenHash(other) })]],
      ['with a token bound to nothing', `DPoP ${mint(ec, world.claims())}`, [proof()]],
    ];
    for (const [name, authorization, proofs] of table) {
      const { statuses, forwarded, answers } = await send(authorization, ...proofs);
      assert.deepEqual([statuses, forwarded], [[401], []], name);
      assert.match(values(answers[0], 'www-authenticate').join(), /^DPoP realm="api", algs="/, name);
    }
    assert.deepEqual((await send(`DPoP ${token}`, proof())).statuses, [200]);
  });

  test('and a proof is good once, whichever worker it comes to', async () => {
    const once = proof();
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => send(`DPoP ${token}`, once)));
    const statuses = outcomes.flatMap((outcome) => outcome.statuses).sort();
    assert.deepEqual(statuses, [200, ...Array.from({ length: 11 }, () => 401)]);
  });
});
