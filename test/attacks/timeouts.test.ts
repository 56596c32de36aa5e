import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { statusOf } from '../fixtures/raw-client.ts';
import { Stage } from './stage.ts';

/** Item 13: slow heads, slow bodies and slow readers each time out. Only upper bounds are asserted. */

const PATIENCE_MS = 8000;
const HOST = 'Host: a.test\r\n';
const LIMITS = { headerTimeout: '400ms', bodyTimeout: '400ms', idleTimeout: '400ms', writeTimeout: '400ms' };

describe('item 13: slow clients', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({ listener: { limits: { ...LIMITS, bodyBytes: '10MB' } } });
  });
  after(() => stage.close());

  const STALLED: readonly (readonly [name: string, bytes: string, statuses: readonly number[]])[] = [
    ['nothing at all', '', []],
    ['half a request line', 'GET /c HT', [408]],
    ['half a head', `GET /c HTTP/1.1\r\n${HOST}X-A: b`, [408]],
    ['a head without its empty line', `GET /c HTTP/1.1\r\n${HOST}`, [408]],
    ['half a body by length', `POST /c HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhello`, [408]],
    ['half a chunk', `POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\na\r\nhello`, [408]],
    ['no last chunk', `POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, [408]],
    [
      'no end of trailers',
      `POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nX-T: v\r\n`,
      [408],
    ],
  ];
  for (const [name, bytes, statuses] of STALLED) {
    test(`${name}: the connection is ended`, async () => {
      const client = await stage.connect();
      client.send(bytes);
      assert.ok(await client.closedWithin(PATIENCE_MS), 'still open');
      assert.deepEqual(client.responses.map(statusOf), statuses);
      client.close();
    });
  }

  test('a head that comes byte by byte for ever is ended all the same', async () => {
    const client = await stage.connect();
    client.send(`GET /c HTTP/1.1\r\n${HOST}X-A: `);
    const drip = setInterval(() => client.send('b'), 50);
    try {
      assert.ok(await client.closedWithin(PATIENCE_MS), 'still open');
    } finally {
      clearInterval(drip);
      client.close();
    }
  });

  const DRIPPED: readonly (readonly [name: string, framing: string, drop: string])[] = [
    ['by length', 'Content-Length: 1000000\r\n', 'b'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n', '1\r\nb\r\n'],
  ];
  for (const [name, framing, drop] of DRIPPED) {
    test(`a body that comes byte by byte for ever, ${name}, is ended all the same`, async () => {
      const client = await stage.connect();
      client.send(`POST /c HTTP/1.1\r\n${HOST}${framing}\r\n${drop}`);
      const drip = setInterval(() => client.send(drop), 50);
      try {
        assert.ok(await client.closedWithin(PATIENCE_MS), 'still open');
        assert.deepEqual(client.responses.map(statusOf), [408]);
      } finally {
        clearInterval(drip);
        client.close();
      }
    });
  }

  test('a hundred that drip their heads are ended one and all, and others are served meanwhile', async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => stage.connect()));
    const drip = setInterval(() => {
      for (const client of clients) if (client.state === 'open') client.send('b');
    }, 50);
    try {
      for (const client of clients) client.send(`GET /c HTTP/1.1\r\n${HOST}X-A: `);
      for (let i = 0; i < 10; i++) {
        const honest = await stage.connect();
        honest.send(`GET /c HTTP/1.1\r\n${HOST}\r\n`);
        assert.equal(statusOf((await honest.response()) ?? assert.fail('no answer')), 200);
        honest.close();
      }
      const ended = await Promise.all(clients.map((client) => client.closedWithin(PATIENCE_MS)));
      assert.ok(ended.every(Boolean));
    } finally {
      clearInterval(drip);
      for (const client of clients) client.close();
    }
  });

  test('an idle kept connection is ended without an answer', async () => {
    const client = await stage.connect();
    client.send(`GET /c HTTP/1.1\r\n${HOST}\r\n`);
    await client.response();
    assert.ok(await client.closedWithin(PATIENCE_MS), 'still open');
    assert.deepEqual(client.responses.map(statusOf), [200]);
    client.close();
  });
});

describe('item 13: a reader that takes nothing', () => {
  let stage: Stage;
  const BODY_BYTES = 64 * 1024 * 1024;
  before(async () => {
    stage = await Stage.open({
      listener: { limits: LIMITS },
      answer: (socket) => {
        socket.on('error', () => {});
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`);
        const block = Buffer.alloc(1024 * 1024, 0x61);
        const pump = () => {
          while (!socket.destroyed && socket.write(block));
          socket.once('drain', pump);
        };
        pump();
      },
    });
  });
  after(() => stage.close());

  test('is cut off, and the upstream connection with it', async () => {
    const client = await stage.connect();
    client.send(`GET /c HTTP/1.1\r\n${HOST}\r\n`);
    await client.until((c) => c.received.length > 0);
    client.socket.pause();
    assert.ok(
      await stage.upstream.until((u) => u.connections.every((c) => c.closed), PATIENCE_MS),
      'upstream still open',
    );
    client.socket.resume();
    assert.ok(await client.closedWithin(PATIENCE_MS));
    assert.ok(client.received.length < BODY_BYTES, 'everything was buffered');
    client.close();
  });
});
