import assert from 'node:assert/strict';
import { generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { contentDigest, type Signing, signatureFields } from '../fixtures/http-signature.ts';
import { RawClient, type RawMessage, statusOf } from '../fixtures/raw-client.ts';
import { type Outcome, Stage } from './stage.ts';

/** Keys, passwords and signatures: what may not count as one, and what must not be learnt from an answer. */

const KEY = 'key-of-the-mobile-app-0123456789abcdef';
const OLD_KEY = 'old-key-of-the-mobile-app-0123456789';
const EARLY_KEY = 'early-key-of-the-mobile-app-0123456';
const PASSWORD = 'correct horse battery';
const SECRET = 'signing-secret-0123456789abcdef-0123456789';
const ed25519 = generateKeyPairSync('ed25519');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pemOf = (key: KeyObject): string => String(key.export({ type: 'spki', format: 'pem' }));
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const ENVIRONMENT = {
  SALLYPORT_TEST_KEY: KEY,
  SALLYPORT_TEST_OLD_KEY: OLD_KEY,
  SALLYPORT_TEST_EARLY_KEY: EARLY_KEY,
  SALLYPORT_TEST_PASSWORD: PASSWORD,
  SALLYPORT_TEST_SECRET: SECRET,
};

const CONSUMERS = [
  {
    name: 'mobile-app',
    credentials: [
      { 'api-key': { secret: 'env:SALLYPORT_TEST_KEY' } },
      { 'api-key': { secret: 'env:SALLYPORT_TEST_OLD_KEY', expires: '2020-01-31' } },
      { 'api-key': { secret: 'env:SALLYPORT_TEST_EARLY_KEY', notBefore: '2100-01-01' } },
    ],
  },
  {
    name: 'billing',
    credentials: [
      { 'basic-auth': { username: 'billing', password: 'env:SALLYPORT_TEST_PASSWORD' } },
      {
        'basic-auth': { username: 'former', password: 'env:SALLYPORT_TEST_PASSWORD', expires: '2020-01-31' },
      },
      { 'hmac-signature': { keyId: 'shared', secret: 'env:SALLYPORT_TEST_SECRET' } },
      { 'hmac-signature': { keyId: 'ed25519', publicKey: 'file:./ed25519.pem' } },
      { 'hmac-signature': { keyId: 'rsa', publicKey: 'file:./rsa.pem' } },
    ],
  },
];

const open = (
  policies: readonly unknown[],
  more: {
    readonly bruteForce?: unknown;
    readonly workers?: number;
    readonly routes?: readonly unknown[];
  } = {},
): Promise<Stage> => {
  const { bruteForce = 'off', ...parts } = more;
  return Stage.open({
    policies,
    env: ENVIRONMENT,
    files: { 'ed25519.pem': pemOf(ed25519.publicKey), 'rsa.pem': pemOf(rsa.publicKey) },
    document: { consumers: CONSUMERS, bruteForce },
    ...parts,
  });
};

const HOST = 'a.test';

const get = (target: string, fields: readonly string[]): string => request('GET', target, fields);

function request(method: string, target: string, fields: readonly string[], body = ''): string {
  const lines: string[] = [];
  for (let i = 0; i < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}\r\n`);
  const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  return `${method} ${target} HTTP/1.1\r\nHost: ${HOST}\r\n${lines.join('')}${length}\r\n${body}`;
}

/** All that a caller is told, but for what is new with every answer and the seconds that pass between two. */
function told(message: RawMessage): unknown {
  const { requestId, instance, ...problem } = JSON.parse(message.body.toString());
  assert.ok(typeof requestId === 'string' || typeof instance === 'string');
  const fields = message.fields.filter(
    ([name]) => !/^(date|x-request-id|content-length|retry-after)$/i.test(name),
  );
  return { status: message.startLine, fields, problem };
}

function assertRefused(outcome: Outcome, status = 401): void {
  assert.deepEqual(outcome.statuses, [status]);
  assert.deepEqual(outcome.forwarded, []);
  assert.equal(outcome.bytes, '');
}

describe('an API key is one value in one place', () => {
  let stage: Stage;
  before(async () => {
    stage = await open([{ 'api-key': { query: 'key', cookie: 'key' } }]);
  });
  after(() => stage.close());

  const refused: readonly (readonly [name: string, target: string, fields: readonly string[]])[] = [
    ['a header twice', '/c', ['X-API-Key', KEY, 'x-api-key', KEY]],
    ['a header twice, the wrong one first', '/c', ['X-API-Key', 'wrong-0123456789', 'X-API-Key', KEY]],
    ['a list in a header', '/c', ['X-API-Key', `${KEY}, ${KEY}`]],
    ['a parameter twice', `/c?key=${KEY}&key=${KEY}`, []],
    ['a parameter twice in two spellings', `/c?k%65y=wrong&key=${KEY}`, []],
    ['a cookie twice', '/c', ['Cookie', `key=${KEY}; key=${KEY}`]],
    ['a cookie in two fields', '/c', ['Cookie', `key=wrong-0123456789`, 'Cookie', `key=${KEY}`]],
    ['a cookie in quotes', '/c', ['Cookie', `key="${KEY}"`]],
    ['a header and a parameter', `/c?key=${KEY}`, ['X-API-Key', KEY]],
    ['a header and a cookie', '/c', ['X-API-Key', KEY, 'Cookie', `key=${KEY}`]],
    ['a parameter and a cookie', `/c?key=${KEY}`, ['Cookie', `key=${KEY}`]],
    ['an empty header beside a parameter', `/c?key=${KEY}`, ['X-API-Key', '']],
    ['a parameter of another case', `/c?KEY=${KEY}`, []],
    ['a cookie of another case', '/c', ['Cookie', `KEY=${KEY}`]],
    ['a parameter behind a semicolon', `/c?a=1;key=${KEY}`, []],
    ['the hash of the key', '/c', ['X-API-Key', hash('sha256', KEY, 'base64url')]],
    ['a prefix of the key', '/c', ['X-API-Key', KEY.slice(0, -1)]],
    ['the key and more', '/c', ['X-API-Key', `${KEY}x`]],
    ['a method that is another’s', '/c', ['Authorization', `Bearer ${KEY}`]],
  ];
  for (const [name, target, fields] of refused) {
    test(`${name} is refused`, async () => assertRefused(await stage.send(get(target, fields))));
  }

  const hidden: readonly (readonly [
    name: string,
    target: string,
    fields: readonly string[],
    line: string,
    cookies: readonly string[],
  ])[] = [
    ['in a header', '/c?a=1', ['X-API-Key', KEY, 'Cookie', 'a=1'], 'GET /c?a=1 HTTP/1.1', ['a=1']],
    ['in the query', `/c?a=%7e&key=${KEY}&b=+%2F&b=`, [], 'GET /c?a=%7e&b=+%2F&b= HTTP/1.1', []],
    ['alone in the query', `/c?key=${KEY}`, [], 'GET /c HTTP/1.1', []],
    ['in the query in another spelling', `/c?%6b%65%79=${KEY}&&a`, [], 'GET /c?&a HTTP/1.1', []],
    ['in a cookie', '/c', ['Cookie', `a="1;2"; key=${KEY}; b=3`], 'GET /c HTTP/1.1', ['a="1;2"; b=3']],
    ['alone in a cookie', '/c', ['Cookie', `key=${KEY}`], 'GET /c HTTP/1.1', []],
    [
      'in the second of two Cookie fields',
      '/c',
      ['Cookie', 'a=1', 'Cookie', `key=${KEY}`],
      'GET /c HTTP/1.1',
      ['a=1'],
    ],
  ];
  for (const [name, target, fields, line, cookies] of hidden) {
    test(`a key ${name} is hidden, and nothing else`, async () => {
      const outcome = await stage.send(get(target, fields));
      assert.deepEqual(outcome.statuses, [200]);
      assert.ok(!outcome.bytes.includes(KEY), outcome.bytes);
      const [forwarded] = outcome.forwarded;
      assert.equal(forwarded.startLine, line);
      assert.deepEqual(
        forwarded.fields.filter(([field]) => field.toLowerCase() === 'cookie').map(([, value]) => value),
        cookies,
      );
    });
  }

  test('a key in the trailers is no key, and is not handed on', async () => {
    const head = `POST /c HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n`;
    const trailers = `0\r\nX-API-Key: ${KEY}\r\nCookie: key=${KEY}\r\n\r\n`;
    assertRefused(await stage.send(`${head}\r\n${trailers}`));
    const outcome = await stage.send(`${head}Cookie: key=${KEY}\r\n\r\n${trailers}`);
    assert.deepEqual(outcome.statuses, [200]);
    assert.ok(!outcome.bytes.toLowerCase().includes('\r\ncookie:'), outcome.bytes);
  });

  test('an unknown key, an expired one and one that is not valid yet are told the same', async () => {
    const answers = [];
    for (const key of ['unknown-key-0123456789', OLD_KEY, EARLY_KEY, 'caf\u00e9', 'x'.repeat(600)]) {
      const outcome = await stage.send(Buffer.from(get('/c', ['X-API-Key', key]), 'latin1'));
      assertRefused(outcome);
      answers.push(told(outcome.answers[0]));
    }
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
  });
});

describe('a user name and a password', () => {
  let stage: Stage;
  before(async () => {
    stage = await open([{ 'basic-auth': {} }]);
  });
  after(() => stage.close());
  const basic = (text: string) => ['Authorization', `Basic ${base64(text)}`];

  test('strangers, wrong passwords and users that are no more are told the same', async () => {
    const answers = [];
    for (const fields of [
      basic(`nobody:${PASSWORD}`),
      basic('billing:wrong'),
      basic('billing:'),
      basic(`former:${PASSWORD}`),
      basic(`Billing:${PASSWORD}`),
      basic(`billing:${PASSWORD} `),
      basic(`mobile-app:${KEY}`),
    ]) {
      const outcome = await stage.send(get('/c', fields));
      assertRefused(outcome);
      answers.push(told(outcome.answers[0]));
    }
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
  });

  const right = base64(`billing:${PASSWORD}`);
  const refused: readonly (readonly [name: string, fields: readonly string[]])[] = [
    ['two fields', ['Authorization', `Basic ${right}`, 'authorization', `Basic ${right}`]],
    ['a list', ['Authorization', `Basic ${right}, Basic ${right}`]],
    ['no padding', ['Authorization', `Basic ${right.replace(/=+$/, '')}x`]],
    ['a space inside', ['Authorization', `Basic ${right.slice(0, 4)} ${right.slice(4)}`]],
    ['a tab before it', ['Authorization', `Basic\t${right}`]],
    ['a NUL inside', basic(`billing\u0000:${PASSWORD}`)],
    ['a line end inside', basic(`billing:${PASSWORD}\n`)],
    ['another scheme', ['Authorization', `Digest ${right}`]],
    ['Proxy-Authorization', ['Proxy-Authorization', `Basic ${right}`]],
  ];
  for (const [name, fields] of refused) {
    test(`${name} is refused`, async () => assertRefused(await stage.send(get('/c', fields))));
  }

  test('userinfo in the target is refused', async () => {
    const line = `GET http://billing:${encodeURIComponent(PASSWORD)}@${HOST}/c HTTP/1.1`;
    const outcome = await stage.send(`${line}\r\nHost: ${HOST}\r\n\r\n`);
    assert.ok(outcome.statuses[0] === 400 || outcome.statuses[0] === 401, String(outcome.statuses));
    assert.equal(outcome.bytes, '');
  });

  test('the password does not reach the upstream', async () => {
    const outcome = await stage.send(get('/c', basic(`billing:${PASSWORD}`)));
    assert.deepEqual(outcome.statuses, [200]);
    assert.ok(!outcome.bytes.includes(right) && !outcome.bytes.toLowerCase().includes('authorization'));
  });
});

describe('guessing', () => {
  let stage: Stage;
  const routes = ['keys', 'users', 'signed'].map((name) => ({
    name,
    match: { path: `/${name}/**` },
    upstream: 'origin',
    policies: [
      {
        keys: { 'api-key': {} },
        users: { 'basic-auth': {} },
        signed: { 'hmac-signature': {} },
      }[name],
    ],
  }));
  before(async () => {
    const bruteForce = { failures: 3, window: '10m', banAfter: 5, banWindow: '1h', ban: '1h' };
    stage = await open([], { bruteForce, workers: 2, routes });
  });
  after(() => stage.close());

  const key = (value: string) => get('/keys/a', ['X-API-Key', value]);
  const user = (text: string) => get('/users/a', ['Authorization', `Basic ${base64(text)}`]);
  const [guesser, victim] = ['127.0.0.21', '127.0.0.22'];
  const status = async (bytes: string, localAddress: string) =>
    (await stage.send(bytes, { localAddress })).statuses[0];

  test('is slowed down whatever is guessed at and wherever, and a right key is not told then', async () => {
    assert.equal(await status(key('wrong-key-0123456789'), guesser), 401);
    assert.equal(await status(user('billing:wrong'), guesser), 401);
    assert.equal(await status(get('/signed/a', ['Signature', 'x']), guesser), 401);
    assert.equal(await status(key('wrong-key-0123456789'), guesser), 401);
    for (const [wrong, right] of [
      [key('wrong-key-0123456789'), key(KEY)],
      [user('billing:wrong'), user(`billing:${PASSWORD}`)],
    ]) {
      const outcomes = [];
      for (const bytes of [wrong, right]) outcomes.push(await stage.send(bytes, { localAddress: guesser }));
      for (const outcome of outcomes) assertRefused(outcome, 429);
      assert.deepEqual(told(outcomes[1].answers[0]), told(outcomes[0].answers[0]));
    }
    assert.equal(await status(get('/signed/a', ['Signature', 'x']), guesser), 429);
  });

  test('does not lock others out, nor whoever presents nothing', async () => {
    assert.equal(await status(key(KEY), victim), 200);
    assert.equal(await status(user(`billing:${PASSWORD}`), victim), 200);
    assert.equal(await status(get('/keys/a', []), guesser), 401);
  });

  test('in many connections at once is held to about the same number', async () => {
    const [host, port] = ['127.0.0.23', stage.gateway.port];
    const clients = await Promise.all(
      Array.from({ length: 40 }, () => RawClient.connect(port, { localAddress: host })),
    );
    for (const [i, client] of clients.entries()) client.send(user(`billing:guess-${i}`));
    const answers = await Promise.all(clients.map((client) => client.response(1, 20_000)));
    for (const client of clients) client.close();
    const statuses = answers.map((answer) => (answer === undefined ? 0 : statusOf(answer)));
    const guesses = statuses.filter((one) => one === 401).length;
    // Three are free, the fourth is told; with it the other worker may have one more under way.
    assert.ok(guesses >= 4 && guesses <= 5, `${guesses} of 40`);
    assert.ok(
      statuses.every((one) => one === 401 || one === 429),
      String(statuses),
    );
  });
});

describe('a signature', () => {
  let stage: Stage;
  before(async () => {
    stage = await open([{ 'hmac-signature': {} }], { workers: 2 });
  });
  after(() => stage.close());

  let nonce = 0;
  const COMPONENTS = ['@method', '@authority', '@path', '@query'];
  interface Asked {
    readonly method?: string;
    readonly authority?: string;
    readonly target?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly signing?: Partial<Signing>;
  }
  /** Fields of a request as it is signed, which may not be the one that is sent. */
  const sign = ({ signing, headers = {}, ...asked }: Asked = {}): string[] => {
    const fields = signatureFields(
      { method: 'GET', authority: HOST, target: '/pay?to=ann', headers, ...asked },
      {
        keyId: 'shared',
        key: Buffer.from(SECRET),
        components: COMPONENTS,
        created: Math.floor(Date.now() / 1000),
        more: `;nonce="${++nonce}"`,
        ...signing,
      },
    );
    return Object.entries({ ...headers, ...fields }).flat();
  };

  test('is good once, whichever worker sees it', async () => {
    const bytes = get('/pay?to=ann', sign());
    assert.deepEqual((await stage.send(bytes)).statuses, [200]);
    for (let i = 0; i < 8; i++) assertRefused(await stage.send(bytes));
  });

  test('is good once though it comes many times at once', async () => {
    const bytes = get('/pay?to=ann', sign());
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const client = await stage.connect();
        client.send(bytes);
        const answer = await client.response(1, 3000);
        client.close();
        return answer === undefined ? 0 : statusOf(answer);
      }),
    );
    assert.deepEqual(outcomes.toSorted(), [200, ...Array(11).fill(401)]);
  });

  const forged: readonly (readonly [name: string, bytes: () => string])[] = [
    ['another method', () => request('DELETE', '/pay?to=ann', sign())],
    ['another path', () => get('/pay/all?to=ann', sign())],
    ['another query', () => get('/pay?to=mal', sign())],
    ['a parameter more', () => get('/pay?to=ann&to=mal', sign())],
    ['no query', () => get('/pay', sign())],
    ['another host', () => get('/pay?to=ann', sign({ authority: 'b.test' }))],
    ['the path in another spelling', () => get('/x/../pay?to=ann', sign())],
    ['no method covered', () => get('/pay?to=ann', sign({ signing: { components: COMPONENTS.slice(1) } }))],
    ['no query covered', () => get('/pay?to=ann', sign({ signing: { components: COMPONENTS.slice(0, 3) } }))],
    ['nothing covered', () => get('/pay?to=ann', sign({ signing: { components: [] } }))],
    ['a body that was not signed', () => request('GET', '/pay?to=ann', sign(), 'to=mal')],
    ['no time', () => get('/pay?to=ann', sign({ signing: { created: undefined } }))],
    ['an old time', () => get('/pay?to=ann', sign({ signing: { created: 1_700_000_000 } }))],
    ['a time to come', () => get('/pay?to=ann', sign({ signing: { created: 4_000_000_000 } }))],
    ['a key nobody has', () => get('/pay?to=ann', sign({ signing: { keyId: 'nobody' } }))],
    ['a key id with a path', () => get('/pay?to=ann', sign({ signing: { keyId: '../../shared' } }))],
    ['the label twice', () => get('/pay?to=ann', [...sign(), ...sign()])],
    ['a second signature', () => get('/pay?to=ann', [...sign(), ...sign({ signing: { label: 'b' } })])],
    ['the signature alone', () => get('/pay?to=ann', sign().slice(2))],
    ['the description alone', () => get('/pay?to=ann', sign().slice(0, 2))],
    [
      'a public key as the shared secret',
      () => get('/pay?to=ann', sign({ signing: { keyId: 'rsa', key: Buffer.from(pemOf(rsa.publicKey)) } })),
    ],
    [
      'the same, and an algorithm that says so',
      () => {
        const key = Buffer.from(pemOf(ed25519.publicKey));
        return get('/pay?to=ann', sign({ signing: { keyId: 'ed25519', key, more: ';alg="hmac-sha256"' } }));
      },
    ],
    [
      'another algorithm than the key’s',
      () => get('/pay?to=ann', sign({ signing: { more: ';alg="rsa-v1_5-sha256"' } })),
    ],
    [
      'a signed header that Connection takes away',
      () => {
        const signing = { components: [...COMPONENTS, 'x-tenant'] };
        const fields = sign({ headers: { 'x-tenant': 'ann' }, signing });
        return get('/pay?to=ann', [...fields, 'Connection', 'X-Tenant']);
      },
    ],
    [
      'a signed header that comes twice',
      () => {
        const signing = { components: [...COMPONENTS, 'x-tenant'] };
        const fields = sign({ headers: { 'x-tenant': 'ann' }, signing });
        return get('/pay?to=ann', ['X-Tenant', 'mal', ...fields]);
      },
    ],
  ];
  for (const [name, bytes] of forged) {
    test(`with ${name} is refused`, async () => assertRefused(await stage.send(bytes())));
  }

  test('of whatever is wrong is told the same', async () => {
    const answers = [];
    for (const bytes of [
      get('/pay?to=mal', sign()),
      get('/pay?to=ann', sign({ signing: { keyId: 'nobody' } })),
      get('/pay?to=ann', sign({ signing: { created: 1_700_000_000 } })),
      get('/pay?to=ann', sign({ signing: { components: [] } })),
    ]) {
      answers.push(told((await stage.send(bytes)).answers[0]));
    }
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
  });

  const payment = '{"to":"ann","amount":1}';
  const signedBody = (digest = contentDigest(payment)): string[] =>
    sign({
      method: 'POST',
      headers: { 'content-digest': digest },
      signing: { components: [...COMPONENTS, 'content-digest'] },
    });

  test('over a body is no good for another, of which the upstream sees nothing', async () => {
    const other = payment.replace('ann', 'mal');
    assertRefused(await stage.send(request('POST', '/pay?to=ann', signedBody(), other)));
    const chunked = `POST /pay?to=ann HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n`;
    const fields = signedBody();
    const lines = [0, 2, 4].map((i) => `${fields[i]}: ${fields[i + 1]}\r\n`).join('');
    const pieces = [`${chunked}${lines}\r\n`, '5\r\n{"to"\r\n', '0\r\n\r\n'];
    assertRefused(await stage.send(pieces));
  });

  test('over a digest that proves nothing is refused', async () => {
    const weak = 'md5=:XrY7u+Ae7tCTyyK7j1rNww==:';
    assertRefused(await stage.send(request('POST', '/pay?to=ann', signedBody(weak), payment)));
    const both = `${contentDigest(payment)}, sha-512=:AAAA:`;
    assertRefused(await stage.send(request('POST', '/pay?to=ann', signedBody(both), payment)));
  });

  test('over its body lets it on, byte for byte', async () => {
    const outcome = await stage.send(request('POST', '/pay?to=ann', signedBody(), payment));
    assert.deepEqual(outcome.statuses, [200]);
    assert.equal(outcome.forwarded[0].body.toString(), payment);
  });
});
