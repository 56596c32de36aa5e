import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { RecordedRequest } from '../../src/contract/index.ts';
import { openRecordingIn } from '../../src/control/index.ts';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { RawClient } from '../fixtures/raw-client.ts';
import { RawUpstream } from '../fixtures/raw-upstream.ts';
import { all } from '../fixtures/recording/stage.ts';
import { mintSecret } from '../fixtures/tokens.ts';
import { Dice } from '../fuzz/generate.ts';

/**
 * Whatever secret a caller sends, wherever it stands and however it is written, is in no record: the requests of a real
 * gateway are read back decrypted, and none of what was planted is found in them.
 */

const SEED = 20_261_126;
const REQUESTS = 400;
const TOKEN_SECRET = 'own-token-secret-0123456789abcdef-0123456789';

/** A part of a secret that is found nowhere else. */
function mark(dice: Dice): string {
  return Array.from({ length: 20 }, () => '0123456789ABCDEF'[dice.below(16)]).join('');
}

/** Text of 26 characters and more that looks like what it is, around its mark. */
const SHAPES: readonly ((mark: string) => string)[] = [
  (m) => `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx${m}.c2ln`,
  (m) => `Bearer ${m}`,
  (m) => `basic ${m}`,
  (m) => `sk-${m}`,
  (m) => `ghp_${m}`,
  (m) => `AKIA${m.slice(0, 16)}`,
  (m) => `https://user:${m}@example.test/`,
  (m) => `https://example.test/?access_token=${m}&a=1`,
  (m) => `password=${m}`,
  (m) => `{"apiKey":"${m}"}`,
];

/** `AKIA` and sixteen more are a key; the mark is what is looked for. */
const soughtIn = (secret: string, m: string): string => (secret.startsWith('AKIA') ? m.slice(0, 16) : m);

const SECRET_FIELDS = [
  ...['Authorization', 'Proxy-Authorization', 'Cookie', 'X-Api-Key', 'X-Auth-Token', 'X-CSRF-Token', 'DPoP'],
  ...['X-Session-Id', 'X-Amz-Security-Token', 'Api-Key', 'Private-Token', 'X-Hub-Signature', 'Signature'],
  // The document's.
  ...['X-Tenant-Pass', 'x-who'],
];
const OTHER_FIELDS = [
  'Referer',
  'X-Note',
  'X-Forwarded-Url',
  'User-Agent',
  'X-Request-Id',
  'Accept',
  'Origin',
];
const SECRET_PARAMETERS = [
  'token',
  'access_token',
  'api_key',
  'password',
  'code',
  'sig',
  'client_secret',
  'who',
];
const SECRET_MEMBERS = [
  'password',
  'client_secret',
  'accessToken',
  'apiKey',
  'pin',
  'private_key',
  'sessionId',
];

interface Planted {
  readonly bytes: string | Buffer;
  /** What must not be found. */
  readonly mark: string;
  readonly where: string;
}

const request = (target: string, fields: readonly string[], body: string | Buffer = ''): string | Buffer => {
  const bytes = Buffer.from(body);
  const length = bytes.length === 0 ? [] : [`Content-Length: ${bytes.length}`];
  const method = bytes.length === 0 ? 'GET' : 'POST';
  const head = [`${method} ${target} HTTP/1.1`, 'Host: a.test', 'Connection: close', ...fields, ...length];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
};

const percent = (text: string): string =>
  [...text].map((c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
const escaped = (text: string): string =>
  [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

/** A field name in any case. */
const cased = (dice: Dice, name: string): string =>
  [...name].map((c) => (dice.oneIn(2) ? c.toUpperCase() : c.toLowerCase())).join('');

const encodedOften = (dice: Dice, text: string): string => {
  let encoded = text;
  for (let i = dice.below(5); i >= 0; i--) encoded = encodeURIComponent(encoded);
  return encoded;
};

const PLACES: Readonly<Record<string, (dice: Dice, m: string) => Omit<Planted, 'mark' | 'where'>>> = {
  'a field for secrets': (dice, m) => ({
    bytes: request(dice.pick(['/open/a', '/in/a', '/nowhere']), [
      `${cased(dice, dice.pick(SECRET_FIELDS))}: ${m}`,
    ]),
  }),
  'any field': (dice, m) => ({
    bytes: request('/open/a', [`${dice.pick(OTHER_FIELDS)}: a ${dice.pick(SHAPES)(m)}`]),
  }),
  'a cookie': (_, m) => ({ bytes: request('/open/a', [`Cookie: a=b; session=${m}; c=d`]) }),
  'the name of a field': (_, m) => ({ bytes: request('/open/a', [`sk-${m}: x`]) }),
  'the id of a request': (_, m) => ({ bytes: request('/open/a', [`X-Request-Id: sk-${m}`]) }),
  'a parameter for secrets': (dice, m) => {
    const name = dice.pick(SECRET_PARAMETERS);
    const written = dice.oneIn(3) ? percent(name) : name;
    return { bytes: request(`/open/a?a=1&${written}=${dice.oneIn(3) ? percent(m) : m}&b=2`, []) };
  },
  'any parameter': (dice, m) => ({
    bytes: request(`/open/a?x=${encodedOften(dice, dice.pick(SHAPES)(m))}`, []),
  }),
  'the name of a parameter': (_, m) => ({ bytes: request(`/open/a?sk-${m}&b=1`, []) }),
  'the path': (dice, m) => ({
    bytes: request(`/open/${encodeURIComponent(dice.pick(SHAPES.slice(0, 6))(m))}/x`, []),
  }),
  'a parameter of the path': (_, m) => ({ bytes: request(`/invite/${m}`, []) }),
  'a link of one person': (_, m) => ({ bytes: request(`/open/reset-password/${m}`, []) }),
  'a member of JSON': (dice, m) => {
    const name = dice.pick(SECRET_MEMBERS);
    const member = `{"${dice.oneIn(3) ? escaped(name) : name}":"${dice.oneIn(3) ? escaped(m) : m}"}`;
    const body = dice.pick([member, `[${member}]`, `{"a":{"b":[1,${member}]}}`]);
    return { bytes: request('/open/a', ['Content-Type: application/json'], body) };
  },
  'any text of JSON': (dice, m) => {
    const text = JSON.stringify({ a: [{ note: dice.pick(SHAPES)(m) }] });
    return { bytes: request('/open/a', ['Content-Type: application/vnd.a+json'], text) };
  },
  'JSON that is none': (_, m) => ({
    bytes: request('/open/a', ['Content-Type: application/json'], `{"password":"${m}`),
  }),
  'a form': (dice, m) => {
    const name = dice.pick(SECRET_PARAMETERS.slice(0, -1));
    const body = `a=1&${dice.oneIn(2) ? percent(name) : name}=${m}`;
    return { bytes: request('/open/a', ['Content-Type: application/x-www-form-urlencoded'], body) };
  },
  'parts of a form': (_, m) => {
    const part = `--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n${m}\r\n--b--\r\n`;
    return { bytes: request('/open/a', ['Content-Type: multipart/form-data; boundary=b'], part) };
  },
  'a text': (_, m) => ({
    bytes: request('/open/a', ['Content-Type: text/xml'], `<a><password>${m}</password></a>`),
  }),
  'a body of no type': (_, m) => ({ bytes: request('/open/a', [], `{"secret":"${m}"}`) }),
  'a body in pieces': (_, m) => {
    const json = `{"password":"${m}"}`;
    const chunks = [json.slice(0, 15), json.slice(15)].map((c) => `${c.length.toString(16)}\r\n${c}\r\n`);
    const fields = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n';
    return { bytes: `POST /open/a HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n${chunks.join('')}0\r\n\r\n` };
  },
  'a compressed body': (_, m) => ({
    bytes: request(
      '/open/a',
      ['Content-Type: application/json', 'Content-Encoding: gzip'],
      gzipSync(`{"password":"${m}"}`, { level: 0 }),
    ),
  }),
  'a token that is believed': (_, m) => {
    const claims = { iss: 'login', aud: 'orders', sub: 'ann', jti: m, exp: 4_102_444_800 };
    const token = mintSecret(TOKEN_SECRET, { ...claims, jti: 'public', access_token: m });
    return { bytes: request('/in/a', [`Authorization: Bearer ${token}`]) };
  },
  'a claim that looks like a secret': (dice, m) => {
    const claims = { iss: 'login', aud: 'orders', sub: 'ann', exp: 4_102_444_800 };
    const token = mintSecret(TOKEN_SECRET, { ...claims, note: { deep: [dice.pick(SHAPES)(m)] } });
    return { bytes: request('/in/a', [`Authorization: Bearer ${token}`]) };
  },
};

describe('a secret that a caller sends is in no record', () => {
  let gateway: Gateway;
  let upstream: RawUpstream;
  const planted: Planted[] = [];
  let records: readonly RecordedRequest[] = [];

  before(async () => {
    upstream = await RawUpstream.start();
    const routes = [
      { name: 'open', match: { path: '/open/**' }, upstream: 'origin', policies: [] },
      { name: 'invite', match: { path: '/invite/{inviteToken}' }, upstream: 'origin', policies: [] },
      {
        name: 'in',
        match: { path: '/in/**' },
        upstream: 'origin',
        policies: [
          {
            'any-of': [
              { 'api-key': { header: 'x-tenant-pass', query: 'who' } },
              {
                jwt: {
                  issuer: 'login',
                  audience: 'orders',
                  keys: [{ secret: 'env:TOKEN_SECRET' }],
                  header: 'x-who',
                },
              },
            ],
          },
        ],
      },
    ];
    const listener = { encodedSlashes: 'keep', semicolons: 'keep' };
    gateway = await startGateway(
      proxyDocument({
        port: await freePort(),
        upstream: upstream.url,
        listener,
        routes,
        document: { bruteForce: 'off', recording: { requests: 1000 } },
      }),
      { admin: true, env: { TOKEN_SECRET } },
    );
    // Recording begins when it is first asked for, or soon.
    await gateway.admin('GET', '/api/recordings');
    const dice = new Dice(SEED);
    const places = Object.entries(PLACES);
    for (let i = 0; i < REQUESTS; i++) {
      const [where, plant] = places[i % places.length];
      const m = mark(dice);
      const { bytes } = plant(dice, m);
      planted.push({
        bytes,
        mark: soughtIn(bytes.toString().includes(`AKIA${m.slice(0, 16)}`) ? 'AKIA' : '', m),
        where,
      });
      const client = await RawClient.connect(gateway.port);
      client.send(bytes);
      assert.notEqual(await client.response(), undefined, `${where} was answered`);
      client.close();
    }
    // Has workers write what they have in hand.
    await gateway.admin('GET', '/api/recordings');
    const recording = await openRecordingIn({
      references: [],
      dataDir: join(gateway.folder, 'data'),
      environment: {},
      randomBytes,
    });
    records = await all(recording.read());
  });
  after(async () => {
    await gateway.stop();
    await upstream.stop();
  });

  /** All that a record says, its body as text. */
  const textOf = (record: RecordedRequest): string => {
    const body =
      record.body.kind === 'whole' ? Buffer.from(record.body.bytes).toString('latin1') : record.body;
    const text = JSON.stringify({ ...record, body });
    return text;
  };

  for (const where of Object.keys(PLACES)) {
    it(`in ${where}`, () => {
      const texts = records.map(textOf);
      for (const { mark: sought, bytes } of planted.filter((one) => one.where === where)) {
        const leak = texts.find((text) => text.includes(sought) || text.includes(percent(sought)));
        assert.equal(leak, undefined, `sent: ${bytes}`);
      }
    });
  }

  it('nor in any file of the data folder', () => {
    const folder = join(gateway.folder, 'data');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((path) => statSync(path).isFile());
    assert.ok(files.some((path) => path.endsWith('.rec')));
    for (const path of files) {
      const bytes = readFileSync(path);
      for (const { mark: sought } of planted)
        assert.equal(bytes.includes(sought), false, `${sought} in ${path}`);
    }
  });

  it('while what is no secret is: this test can fail', () => {
    assert.equal(records.length, REQUESTS);
    assert.ok(records.some(({ target }) => target.startsWith('/open/a')));
    assert.ok(
      records.some(({ identity }) => identity?.consumer === 'ann' && identity.claims.aud === 'orders'),
    );
    assert.ok(records.some(({ withheld }) => withheld.headers.length > 0));
    assert.ok(records.some(({ body }) => body.kind === 'missing' && body.why === 'withheld'));
  });
});
