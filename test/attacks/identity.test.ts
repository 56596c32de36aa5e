import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { values } from '../fixtures/raw-client.ts';
import { Stage } from './stage.ts';

/** Items 21, 22, 23, 24: nobody says who or where they are but the gateway. */

const HOST = 'Host: a.test\r\n';
const LOCAL = '127.0.0.1';
const SPOOFED = '198.51.100.7';

const FORWARDING = [
  'X-Forwarded-For',
  'X-Real-IP',
  'Forwarded',
  'X-Client-IP',
  'True-Client-IP',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Forwarded-Port',
  'X-Original-URL',
];

describe('item 21: forwarding fields of a peer that is not trusted', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({ policies: [{ 'ip-list': { deny: [`${SPOOFED}/32`] } }] });
  });
  after(() => stage.close());

  for (const name of FORWARDING) {
    test(`${name} is neither believed nor handed on`, async () => {
      const value =
        name === 'Forwarded'
          ? `for=${SPOOFED};host=evil.test`
          : name.endsWith('Host')
            ? 'evil.test'
            : SPOOFED;
      const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}${name}: ${value}\r\n\r\n`);
      assert.deepEqual(outcome.statuses, [200]);
      assert.ok(!outcome.bytes.includes(SPOOFED) && !outcome.bytes.includes('evil.test'), outcome.bytes);
    });
  }

  test('the upstream learns the peer', async () => {
    const outcome = await stage.send(
      `GET /c HTTP/1.1\r\n${HOST}X-Forwarded-For: ${SPOOFED}\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n`,
    );
    assert.deepEqual(values(outcome.forwarded[0], 'x-forwarded-for'), [LOCAL]);
  });

  test('a list of allowed addresses cannot be entered by a field', async () => {
    const closed = await Stage.open({ policies: [{ 'ip-list': { allow: [SPOOFED] } }] });
    try {
      for (const name of FORWARDING) {
        const outcome = await closed.send(`GET /c HTTP/1.1\r\n${HOST}${name}: ${SPOOFED}\r\n\r\n`);
        assert.deepEqual(outcome.statuses, [403], name);
        assert.deepEqual(outcome.forwarded, []);
      }
    } finally {
      await closed.close();
    }
  });
});

describe('item 21: forwarding fields of a trusted peer', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({
      listener: { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] },
      policies: [{ 'ip-list': { deny: [SPOOFED] } }],
    });
  });
  after(() => stage.close());

  const CHAINS: readonly (readonly [name: string, value: string, status: number])[] = [
    ['the client behind us', SPOOFED, 403],
    ['the client behind two trusted hops', `${SPOOFED}, 10.1.2.3`, 403],
    ['what a client wrote before the last hop is not believed', `${SPOOFED}, 192.0.2.9`, 200],
    ['the same through trusted hops', `${SPOOFED}, 192.0.2.9, 10.1.2.3`, 200],
    ['an IPv4-mapped spelling', `::ffff:${SPOOFED}`, 403],
    ['an IPv4-mapped spelling in hex', '::ffff:c633:6407', 403],
  ];
  for (const [name, value, status] of CHAINS) {
    test(name, async () => {
      const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}X-Forwarded-For: ${value}\r\n\r\n`);
      assert.deepEqual(outcome.statuses, [status]);
    });
  }

  test('a peer outside the list is not believed', async () => {
    const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}X-Forwarded-For: ${SPOOFED}\r\n\r\n`, {
      localAddress: '127.0.0.9',
    });
    assert.deepEqual(outcome.statuses, [200]);
  });

  for (const value of [
    'nonsense',
    `${SPOOFED}:`,
    '1.2.3',
    '0x7f.1',
    '2130706433',
    '198.051.100.007',
    '[::1',
    'unknown',
  ]) {
    test(`an unreadable address ${JSON.stringify(value)} never passes as somebody`, async () => {
      const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}X-Forwarded-For: ${value}\r\n\r\n`);
      assert.equal(outcome.statuses.length, 1);
      if (outcome.statuses[0] === 200) {
        assert.ok(
          !values(outcome.forwarded[0], 'x-forwarded-for').some((v) => v.startsWith(value)),
          outcome.bytes,
        );
      }
    });
  }
});

const IDENTITY = [
  'X-Consumer-ID',
  'X-Consumer-Username',
  'X-Consumer-Custom-ID',
  'X-Consumer-Groups',
  'X-Credential-Identifier',
  'X-Anonymous-Consumer',
];

describe('items 22, 23: identity fields and their lookalikes', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage.close());

  for (const name of IDENTITY) {
    test(`${name} from a client is not handed on`, async () => {
      for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
        const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}${spelling}: root-impostor\r\n\r\n`);
        assert.deepEqual(outcome.statuses, [200]);
        assert.ok(!outcome.bytes.includes('root-impostor'));
      }
    });

    test(`${name.replaceAll('-', '_')} is not handed on`, async () => {
      for (const spelling of [name.replaceAll('-', '_'), name.replace('-', '_')]) {
        const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}${spelling}: root-impostor\r\n\r\n`);
        assert.equal(outcome.statuses.length, 1);
        assert.ok(!outcome.bytes.includes('root-impostor'));
      }
    });
  }

  // What servers like lighttpd hand to CGI programs: every mark of a name as `_`.
  for (const name of [...IDENTITY, 'X-Forwarded-For', 'X-Real-IP', 'X-HTTP-Method-Override']) {
    for (const mark of ['.', '~', '+', '!']) {
      const spelling = name.replaceAll('-', mark);
      test(`${spelling} is not handed on`, async () => {
        const fields = `${spelling}: root-impostor\r\n${name.replace('-', mark)}: root-impostor\r\n`;
        const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}${fields}\r\n`);
        assert.equal(outcome.statuses.length, 1);
        assert.ok(!outcome.bytes.includes('root-impostor'));
      });
    }
  }

  for (const field of ['Content.Length: 5', 'Transfer.Encoding: chunked', 'Content~Length: 5']) {
    test(`${field}: a mark for "-" frames nothing`, async () => {
      const outcome = await stage.send(
        `POST /c HTTP/1.1\r\n${HOST}${field}\r\n\r\nGET /c?second HTTP/1.1\r\n${HOST}\r\n`,
      );
      assert.equal(outcome.forwarded.length, outcome.statuses.filter((status) => status === 200).length);
      assert.ok(outcome.forwarded.every((message) => message.body.length === 0));
    });
  }

  test('an identity field in the trailers is not handed on', async () => {
    const outcome = await stage.send(
      `POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nX-Consumer-ID: root-impostor\r\n\r\n`,
    );
    assert.ok(!outcome.bytes.includes('root-impostor'));
  });

  for (const name of ['X_Forwarded_For', 'Content_Length', 'Transfer_Encoding', 'Any_Field']) {
    test(`${name}: a name with an underscore is refused`, async () => {
      const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}${name}: 1\r\n\r\n`);
      assert.equal(outcome.statuses[0], 400);
      assert.equal(outcome.bytes, '');
    });
  }
});

describe('item 22: a proven identity replaces what the client says', () => {
  let stage: Stage;
  const KEY = 'key-of-the-mobile-app-0123456789abcdef';
  before(async () => {
    stage = await Stage.open({
      env: { SALLYPORT_TEST_KEY: KEY },
      policies: [{ 'api-key': {} }],
      document: {
        consumers: [
          {
            name: 'mobile-app',
            groups: ['partners'],
            credentials: [{ 'api-key': { secret: 'env:SALLYPORT_TEST_KEY' } }],
          },
        ],
      },
    });
  });
  after(() => stage.close());

  test('without a key nothing is forwarded', async () => {
    const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}X-Consumer-Username: mobile-app\r\n\r\n`);
    assert.deepEqual(outcome.statuses, [401]);
    assert.deepEqual(outcome.forwarded, []);
  });

  for (const [name, fields, status] of [
    ['a wrong key', 'X-API-Key: wrong\r\n', 401],
    ['two keys', `X-API-Key: ${KEY}\r\nX-API-Key: wrong\r\n`, 401],
    ['the wrong key first', `X-API-Key: wrong\r\nX-API-Key: ${KEY}\r\n`, 401],
    ['a list with the key', `X-API-Key: ${KEY}, wrong\r\n`, 401],
    ['an empty key', 'X-API-Key: \r\n', 401],
    ['the key with a NUL', `X-API-Key: ${KEY}\x00\r\n`, 400],
    ['the key in another case', `X-API-Key: ${KEY.toUpperCase()}\r\n`, 401],
  ] as const) {
    test(`${name} is refused`, async () => {
      const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}${fields}\r\n`);
      assert.ok(outcome.statuses[0] === status || outcome.statuses[0] === 400, `${outcome.statuses}`);
      assert.deepEqual(outcome.forwarded, []);
    });
  }

  test('with the key the client’s own claim is gone', async () => {
    const outcome = await stage.send(
      `GET /c HTTP/1.1\r\n${HOST}X-API-Key: ${KEY}\r\nX-Consumer-Username: root-impostor\r\nConnection: X-Consumer-Username\r\n\r\n`,
    );
    assert.deepEqual(outcome.statuses, [200]);
    assert.ok(!outcome.bytes.includes('root-impostor'));
  });
});

describe('item 24: IPv4-mapped IPv6 in lists', () => {
  for (const entry of [
    '127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:127.0.0.0/104',
    '127.0.0.0/8',
  ]) {
    test(`deny ${entry} refuses 127.0.0.1`, async () => {
      const stage = await Stage.open({ policies: [{ 'ip-list': { deny: [entry] } }] });
      try {
        const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}\r\n`);
        assert.deepEqual(outcome.statuses, [403]);
        assert.deepEqual(outcome.forwarded, []);
      } finally {
        await stage.close();
      }
    });
  }
});
