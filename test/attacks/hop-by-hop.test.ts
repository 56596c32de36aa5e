import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type RawMessage, statusOf, values } from '../fixtures/raw-client.ts';
import { send } from '../fixtures/raw-upstream.ts';
import { Stage } from './stage.ts';

/** Items 11, 12, 14: fields of one hop stay on it, and methods and expectations have a rule each. */

const HOST = 'Host: a.test\r\n';

/** Sends one GET with these fields and returns what the upstream received. */
async function forwarded(stage: Stage, fields: string): Promise<RawMessage> {
  const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}${fields}\r\n`);
  assert.deepEqual(outcome.statuses, [200], fields);
  assert.equal(outcome.forwarded.length, 1);
  return outcome.forwarded[0];
}

describe('item 11: hop-by-hop fields', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({
      policies: [{ headers: { request: { set: { 'x-secret-to-upstream': 'set-by-gateway' } } } }],
    });
  });
  after(() => stage.close());

  const DROPPED: readonly (readonly [name: string, fields: string, absent: string])[] = [
    ['Keep-Alive', 'Keep-Alive: timeout=5\r\n', 'keep-alive'],
    ['Proxy-Connection', 'Proxy-Connection: keep-alive\r\n', 'proxy-connection'],
    ['TE', 'TE: trailers\r\n', 'te'],
    ['Trailer', 'Trailer: X-T\r\n', 'trailer'],
    ['Upgrade without Connection', 'Upgrade: websocket\r\n', 'upgrade'],
    [
      'Upgrade to h2c',
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n',
      'upgrade',
    ],
    [
      'HTTP2-Settings',
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n',
      'http2-settings',
    ],
    ['a nominated field', 'Connection: X-Hop\r\nX-Hop: a\r\n', 'x-hop'],
    ['a nominated field in another case', 'CONNECTION: x-HOP\r\nX-Hop: a\r\n', 'x-hop'],
    ['nominated among others', 'Connection: keep-alive, X-Hop ,, X-Other\r\nX-Hop: a\r\n', 'x-hop'],
    ['nominated in a second field', 'Connection: keep-alive\r\nConnection: X-Hop\r\nX-Hop: a\r\n', 'x-hop'],
    ['nominated behind a tab', 'Connection: keep-alive,\tX-Hop\r\nX-Hop: a\r\n', 'x-hop'],
    ['nominated and repeated', 'Connection: X-Hop\r\nX-Hop: a\r\nx-hop: b\r\n', 'x-hop'],
    ['Proxy-Authorization', 'Proxy-Authorization: Basic c2VjcmV0\r\n', 'proxy-authorization'],
  ];
  for (const [name, fields, absent] of DROPPED) {
    test(`${name} is dropped`, async () => {
      const request = await forwarded(stage, fields);
      assert.deepEqual(values(request, absent), []);
    });
  }

  const KEPT: readonly (readonly [nominated: string, field: string, expected: number])[] = [
    ['x-secret-to-upstream', 'x-secret-to-upstream', 1],
    ['host', 'host', 1],
    ['x-forwarded-for', 'x-forwarded-for', 1],
    ['x-request-id', 'x-request-id', 1],
    ['traceparent', 'traceparent', 1],
  ];
  for (const [nominated, field, expected] of KEPT) {
    test(`Connection: ${nominated} cannot remove what the gateway sets`, async () => {
      const request = await forwarded(stage, `Connection: close, ${nominated}\r\n`);
      assert.equal(values(request, field).length, expected);
    });
  }

  test('Connection: content-length cannot take the framing away', async () => {
    const outcome = await stage.send(
      `POST /c HTTP/1.1\r\n${HOST}Connection: content-length\r\nContent-Length: 5\r\n\r\nhello`,
    );
    for (const request of outcome.forwarded) assert.equal(request.body.toString(), 'hello');
    assert.ok([200, 400].includes(outcome.statuses[0]));
    assert.equal(outcome.statuses.length, 1);
  });

  test('Connection: transfer-encoding cannot take the framing away', async () => {
    const outcome = await stage.send(
      `POST /c HTTP/1.1\r\n${HOST}Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    );
    for (const request of outcome.forwarded) assert.equal(request.body.toString(), 'hello');
    assert.ok([200, 400].includes(outcome.statuses[0]));
    assert.equal(outcome.statuses.length, 1);
  });

  test('hop-by-hop fields of the answer are dropped too', async () => {
    stage.upstream.answer = send(
      'HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: a\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-End: b\r\nContent-Length: 0\r\n\r\n',
    );
    const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}\r\n`);
    for (const name of ['x-hop', 'keep-alive', 'upgrade', 'proxy-authenticate']) {
      assert.deepEqual(values(outcome.answers[0], name), [], name);
    }
    assert.deepEqual(values(outcome.answers[0], 'x-end'), ['b']);
  });
});

describe('item 12: line breaks in templated headers', () => {
  const NASTY = ['a\r\nX-Injected: b', 'a\nX-Injected: b', 'a\rX-Injected: b', 'a\x00b'];
  for (const value of NASTY) {
    for (const direction of ['request', 'response']) {
      test(`${JSON.stringify(value)} in a ${direction} header is refused when the document is read`, async () => {
        await assert.rejects(
          Stage.open({ policies: [{ headers: { [direction]: { set: { 'x-templated': value } } } }] }).then(
            (stage) => stage.close(),
          ),
          /headers/,
        );
      });
    }
  }

  test('an encoded line break in the path never becomes one', async () => {
    const stage = await Stage.open();
    try {
      const outcome = await stage.send(`GET /c%0d%0aX-Injected:%20b HTTP/1.1\r\n${HOST}\r\n`);
      assert.ok(!outcome.bytes.includes('\r\nX-Injected'));
      for (const answer of outcome.answers) assert.deepEqual(values(answer, 'x-injected'), []);
    } finally {
      await stage.close();
    }
  });
});

describe('item 14: Expect, TRACE, CONNECT, Upgrade', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({
      routes: [{ name: 'all', match: { path: '/**' }, upstream: 'origin', upgrade: false, policies: [] }],
    });
  });
  after(() => stage.close());

  test('CONNECT is refused and nothing is dialled', async () => {
    const outcome = await stage.send(
      `CONNECT 127.0.0.1:${stage.upstream.port} HTTP/1.1\r\n${HOST}\r\nGET /smuggled HTTP/1.1\r\n${HOST}\r\n`,
      { closes: true },
    );
    assert.ok([400, 405, 501].includes(outcome.statuses[0]), `${outcome.statuses}`);
    assert.ok(outcome.closed);
    assert.equal(outcome.bytes, '');
  });

  test('TRACE is refused and never shows credentials', async () => {
    const outcome = await stage.send(`TRACE /c HTTP/1.1\r\n${HOST}Authorization: Bearer secret\r\n\r\n`);
    assert.ok([405, 501].includes(outcome.statuses[0]), `${outcome.statuses}`);
    assert.equal(outcome.bytes, '');
    assert.ok(!outcome.answers[0].body.toString().includes('secret'));
  });

  test('an unknown method is refused', async () => {
    const outcome = await stage.send(`FOOBAR /c HTTP/1.1\r\n${HOST}\r\n`);
    assert.ok([400, 405, 501].includes(outcome.statuses[0]), `${outcome.statuses}`);
    assert.equal(outcome.bytes, '');
  });

  test('Expect: 100-continue is answered before the body is sent', async () => {
    const client = await stage.connect();
    client.send(`POST /c HTTP/1.1\r\n${HOST}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n`);
    assert.ok(await client.until((c) => c.responses.some((r) => statusOf(r) === 100)));
    client.send('hello');
    const response = await client.response();
    client.close();
    assert.equal(response === undefined ? 0 : statusOf(response), 200);
  });

  test('Expect with a body that does not wait is one request', async () => {
    const outcome = await stage.send(
      `POST /c HTTP/1.1\r\n${HOST}Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhelloGET /next HTTP/1.1\r\n${HOST}\r\n`,
      { answers: 2 },
    );
    assert.deepEqual(outcome.statuses, [200, 200]);
    assert.deepEqual(
      outcome.forwarded.map((r) => [r.startLine.split(' ')[1], r.body.toString()]),
      [
        ['/c', 'hello'],
        ['/next', ''],
      ],
    );
  });

  test('Expect of anything else is refused with 417', async () => {
    const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}Expect: the-unexpected\r\n\r\n`);
    assert.deepEqual(outcome.statuses, [417]);
    assert.equal(outcome.bytes, '');
  });

  test('a refused expectation does not let the body be read as a request', async () => {
    const smuggled = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;
    const outcome = await stage.send(
      `POST /c HTTP/1.1\r\n${HOST}Expect: the-unexpected\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    );
    assert.equal(outcome.statuses.length, 1);
    assert.ok(!outcome.bytes.includes('/smuggled'));
  });

  test('an upgrade on a route that takes none is not tunnelled', async () => {
    const outcome = await stage.send(
      `GET /c HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    assert.ok(!outcome.statuses.includes(101));
    for (const request of outcome.forwarded) assert.deepEqual(values(request, 'upgrade'), []);
  });

  test('a 101 nobody asked for is not passed on', async () => {
    stage.upstream.answer = send(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nraw',
    );
    const outcome = await stage.send(`GET /c HTTP/1.1\r\n${HOST}\r\n`);
    assert.deepEqual(outcome.statuses, [502]);
  });
});
