import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type RawClient, statusOf, values } from '../fixtures/raw-client.ts';
import { ok, send, sendThenEnd, sendThenReset, silent } from '../fixtures/raw-upstream.ts';
import { Stage } from './stage.ts';

/** Items 54, 55, 56: a broken upstream never looks whole, calls are not doubled, and a gone client frees the upstream. */

const HOST = 'Host: a.test\r\n';
const GET = `GET /c HTTP/1.1\r\n${HOST}\r\n`;
const head = (fields: string, status = '200 OK'): string => `HTTP/1.1 ${status}\r\n${fields}\r\n`;

let stage: Stage;
before(async () => {
  stage = await Stage.open({
    settings: { timeouts: { connect: '500ms', response: '500ms', idle: '500ms' } },
  });
});
after(() => stage.close());
beforeEach(() => {
  stage.upstream.answer = ok();
  stage.upstream.onHead = undefined;
});

/** Broken before a client has seen anything: the gateway answers for it. */
const BAD_GATEWAY: readonly (readonly [
  name: string,
  answer: ReturnType<typeof send>,
  statuses?: readonly number[],
])[] = [
  ['closes at once', sendThenEnd('')],
  ['resets at once', sendThenReset('')],
  ['closes inside the head', sendThenEnd('HTTP/1.1 200 OK\r\nContent-Le')],
  ['resets inside the head', sendThenReset('HTTP/1.1 200 OK\r\nContent-Le')],
  ['says nothing', silent, [504]],
  ['stops inside the head', send('HTTP/1.1 200 OK\r\nX-A: b\r\n'), [504]],
  ['sends garbage', sendThenEnd('\x00\x01\x02 garbage\r\n\r\n')],
  ['speaks another protocol', sendThenEnd('SSH-2.0-OpenSSH_9.2\r\n\r\n')],
  ['speaks HTTP/2', sendThenEnd('HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok')],
  ['sends a head that never ends', send(`HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(20_000)}`)],
  ['sends 2,000 fields', send(head(`${'X-A: b\r\n'.repeat(2000)}Content-Length: 0\r\n`))],
  [
    'sends length and chunked',
    sendThenEnd(`${head('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n')}0\r\n\r\n`),
  ],
  ['sends two lengths', sendThenEnd(`${head('Content-Length: 2\r\nContent-Length: 3\r\n')}okk`)],
  ['sends a list of lengths', sendThenEnd(`${head('Content-Length: 2, 3\r\n')}okk`)],
  ['sends a negative length', sendThenEnd(`${head('Content-Length: -2\r\n')}ok`)],
  ['sends a length in hex', sendThenEnd(`${head('Content-Length: 0x2\r\n')}ok`)],
  ['sends an unknown coding', sendThenEnd(`${head('Transfer-Encoding: gzip\r\n')}ok`)],
  [
    'sends chunked before another coding',
    sendThenEnd(`${head('Transfer-Encoding: chunked, gzip\r\n')}0\r\n\r\n`),
  ],
  ['sends xchunked', sendThenEnd(`${head('Transfer-Encoding: xchunked\r\n')}0\r\n\r\n`)],
  ['folds a field', sendThenEnd(`${head('X-A: b\r\n c\r\nContent-Length: 2\r\n')}ok`)],
  ['sends a bare LF', sendThenEnd(`HTTP/1.1 200 OK\nContent-Length: 2\n\nok`)],
  [
    'sends a bare LF between fields',
    sendThenEnd(`${head('X-A: b\nX-Injected: c\r\nContent-Length: 2\r\n')}ok`),
  ],
  ['sends a bare CR in a value', sendThenEnd(`${head('X-A: b\rX-Injected: c\r\nContent-Length: 2\r\n')}ok`)],
  ['sends a NUL in a value', sendThenEnd(`${head('X-A: b\x00c\r\nContent-Length: 2\r\n')}ok`)],
  ['sends a space before a colon', sendThenEnd(`${head('Content-Length : 2\r\n')}ok`)],
  ['sends a field without a colon', sendThenEnd(`${head('Content-Length 2\r\n')}ok`)],
  ['sends a status of two digits', sendThenEnd('HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok')],
  ['sends a status of four digits', sendThenEnd('HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok')],
  ['sends a status under 100', sendThenEnd('HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok')],
  ['sends a CR in the reason', sendThenEnd('HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok')],
  [
    'sends 101 unasked',
    sendThenEnd('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nraw'),
  ],
  ['sends 1xx for ever', send('HTTP/1.1 100 Continue\r\n\r\n'.repeat(5000)), [502, 504]],
];

describe('item 54: an answer that is broken from the start', () => {
  for (const [name, answer, statuses = [502]] of BAD_GATEWAY) {
    test(`an upstream that ${name}`, async () => {
      stage.upstream.answer = answer;
      const outcome = await stage.send(GET);
      assert.equal(outcome.statuses.length, 1, `answers: ${outcome.statuses}`);
      assert.ok(statuses.includes(outcome.statuses[0]), `status ${outcome.statuses[0]}`);
      assert.ok(outcome.answers[0].complete, 'the gateway’s own answer must be whole');
      assert.deepEqual(values(outcome.answers[0], 'x-injected'), []);
    });
  }
});

/** Broken after a client has seen the head: the answer must be visibly cut off. */
const TRUNCATED: readonly (readonly [name: string, answer: ReturnType<typeof send>])[] = [
  ['resets inside a length', sendThenReset(`${head('Content-Length: 10\r\n')}hello`)],
  ['closes inside a length', sendThenEnd(`${head('Content-Length: 10\r\n')}hello`)],
  ['stops inside a length', send(`${head('Content-Length: 10\r\n')}hello`)],
  ['resets inside a chunk', sendThenReset(`${head('Transfer-Encoding: chunked\r\n')}a\r\nhello`)],
  ['closes inside a chunk', sendThenEnd(`${head('Transfer-Encoding: chunked\r\n')}a\r\nhello`)],
  ['closes between chunks', sendThenEnd(`${head('Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n`)],
  [
    'closes before the end of trailers',
    sendThenEnd(`${head('Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n0\r\nX-T: v\r\n`),
  ],
  ['stops between chunks', send(`${head('Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n`)],
  [
    'sends a bad chunk size',
    sendThenEnd(`${head('Transfer-Encoding: chunked\r\n')}5\r\nhello\r\nzz\r\nx\r\n0\r\n\r\n`),
  ],
  [
    'sends a chunk longer than said',
    sendThenEnd(`${head('Transfer-Encoding: chunked\r\n')}5\r\nhello!!\r\n0\r\n\r\n`),
  ],
  [
    'ends a chunk line with LF',
    sendThenEnd(`${head('Transfer-Encoding: chunked\r\n')}5\nhello\r\n0\r\n\r\n`),
  ],
  ['ends chunk data with LF', sendThenEnd(`${head('Transfer-Encoding: chunked\r\n')}5\r\nhello\n0\r\n\r\n`)],
  [
    'sends a chunk size over 2^64',
    sendThenEnd(`${head('Transfer-Encoding: chunked\r\n')}10000000000000005\r\nhello\r\n0\r\n\r\n`),
  ],
  ['resets inside a body without length', sendThenReset(`${head('')}hello`)],
];

describe('item 54: an answer that breaks in its body', () => {
  for (const [name, answer] of TRUNCATED) {
    test(`an upstream that ${name}`, async () => {
      stage.upstream.answer = answer;
      const client = await stage.connect();
      client.send(GET);
      assert.ok(await client.closedWithin(5000), 'the client is kept waiting');
      const [response] = client.responses;
      const clean = response?.complete && statusOf(response) === 200 && framed(client);
      assert.ok(!clean, `looks whole: ${JSON.stringify(client.received.toString('latin1'))}`);
      client.close();
      stage.upstream.answer = ok();
      await stage.probe();
    });
  }
});

/** An answer without any framing is told from a cut-off one only by how the connection ended. */
function framed(client: RawClient): boolean {
  const [response] = client.responses;
  const marked = values(response, 'content-length').length + values(response, 'transfer-encoding').length > 0;
  return marked || client.state === 'closed';
}

describe('item 54: what an upstream sends beyond its answer is never another’s', () => {
  const POISON = 'HTTP/1.1 200 OK\r\nX-Poison: yes\r\nContent-Length: 6\r\n\r\npoison';
  for (const [name, bytes] of [
    ['after a length', `${head('Content-Length: 2\r\n')}ok${POISON}`],
    ['after chunks', `${head('Transfer-Encoding: chunked\r\n')}2\r\nok\r\n0\r\n\r\n${POISON}`],
    ['after 204', `${head('', '204 No Content')}${POISON}`],
    ['after 304', `${head('Content-Length: 10\r\n', '304 Not Modified')}${POISON}`],
  ] as const) {
    test(name, async () => {
      stage.upstream.answer = send(bytes);
      const client = await stage.connect();
      client.send(GET);
      await client.response();
      stage.upstream.answer = ok('next');
      client.send(GET);
      await client.response(2);
      assert.ok(!client.received.toString('latin1').includes('poison'));
      client.close();
    });
  }

  test('a body on an answer to HEAD', async () => {
    stage.upstream.answer = send(`${head('Content-Length: 2\r\n')}${POISON}`);
    const client = await stage.connect(['HEAD', 'GET']);
    client.send(`HEAD /c HTTP/1.1\r\n${HOST}\r\n`);
    await client.response();
    stage.upstream.answer = ok('next');
    client.send(GET);
    await client.response(2);
    assert.ok(!client.received.toString('latin1').includes('poison'));
    client.close();
  });

  test('bytes on an idle kept connection', async () => {
    await stage.send(GET);
    for (const connection of stage.upstream.connections)
      if (!connection.closed) connection.socket.write(POISON);
    await stage.upstream.until((u) => u.connections.every((c) => c.closed), 2000);
    const outcome = await stage.send(GET);
    assert.ok(!outcome.answers[0].body.toString().includes('poison'));
  });
});

describe('item 54: sound answers come through whole', () => {
  const SOUND: readonly (readonly [name: string, answer: ReturnType<typeof send>, body: string])[] = [
    ['by length', ok('hello'), 'hello'],
    [
      'by chunks with extension and trailer',
      send(`${head('Transfer-Encoding: chunked\r\n')}5;a=b\r\nhello\r\n0\r\nX-T: v\r\n\r\n`),
      'hello',
    ],
    ['until the connection ends', sendThenEnd(`${head('')}hello`), 'hello'],
    ['from HTTP/1.0', sendThenEnd('HTTP/1.0 200 OK\r\n\r\nhello'), 'hello'],
    [
      'behind 100 and 103',
      send(
        `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${head('Content-Length: 5\r\n')}hello`,
      ),
      'hello',
    ],
    ['without a reason', send('HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello'), 'hello'],
  ];
  for (const [name, answer, body] of SOUND) {
    test(name, async () => {
      stage.upstream.answer = answer;
      const outcome = await stage.send(GET);
      assert.deepEqual(outcome.statuses, [200]);
      assert.ok(outcome.answers[0].complete);
      assert.equal(outcome.answers[0].body.toString(), body);
    });
  }
});

describe('item 55: retries', () => {
  for (const [method, fields, body] of [
    ['POST', 'Content-Length: 5\r\n', 'hello'],
    ['PATCH', 'Content-Length: 5\r\n', 'hello'],
    ['POST', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'],
  ]) {
    test(`${method} with ${fields.trim()} is sent once, whatever the upstream does`, async () => {
      for (const answer of [sendThenReset(''), sendThenEnd(''), sendThenReset('HTTP/1.1 2')]) {
        await stage.send(GET);
        stage.upstream.answer = answer;
        const outcome = await stage.send(`${method} /once HTTP/1.1\r\n${HOST}${fields}\r\n${body}`);
        assert.equal(outcome.forwarded.filter((r) => r.startLine.includes('/once')).length, 1);
        assert.equal(outcome.statuses[0], 502);
        stage.upstream.answer = ok();
      }
    });
  }

  test('a refused connection is tried on the other target', async () => {
    const two = await Stage.open({
      settings: { targets: [{ url: 'http://127.0.0.1:1' }, { url: stage.upstream.url }] },
    });
    try {
      for (let i = 0; i < 4; i++) {
        const outcome = await two.send(`POST /c HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`);
        assert.deepEqual(outcome.statuses, [200]);
      }
    } finally {
      await two.close();
    }
  });
});

describe('item 56: a client that goes away', () => {
  const GONE: readonly (readonly [name: string, go: (client: RawClient) => void])[] = [
    ['by reset', (client) => client.reset()],
    ['by close', (client) => client.close()],
  ];
  for (const [name, go] of GONE) {
    test(`${name} while the answer is awaited frees the upstream connection`, async () => {
      const patient = await Stage.open({ settings: { timeouts: { response: '60s' } }, answer: silent });
      try {
        const client = await patient.connect();
        client.send(GET);
        assert.ok(await patient.upstream.until((u) => u.requests.length === 1));
        go(client);
        assert.ok(
          await patient.upstream.until((u) => u.connections[0].closed),
          'the upstream still works for nobody',
        );
      } finally {
        await patient.close();
      }
    });

    test(`${name} inside a streamed answer frees the upstream connection`, async () => {
      const patient = await Stage.open({
        settings: { timeouts: { idle: '60s' } },
        answer: send(`${head('Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n`),
      });
      try {
        const client = await patient.connect();
        client.send(GET);
        assert.ok(await client.until((c) => c.received.includes('hello')));
        go(client);
        assert.ok(
          await patient.upstream.until((u) => u.connections[0].closed),
          'the upstream still works for nobody',
        );
      } finally {
        await patient.close();
      }
    });

    test(`${name} inside its own body ends the upstream’s request unfinished`, async () => {
      const client = await stage.connect();
      const known = stage.upstream.connections.length;
      client.send(`POST /cut HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhello`);
      await stage.upstream.until((u) => u.bytes.includes('\r\n\r\nhello'), 2000);
      go(client);
      assert.ok(
        await stage.upstream.until((u) =>
          u.connections.slice(known - 1).every((c) => c.closed || c.rest.length === 0),
        ),
      );
      await stage.probe();
      assert.equal(stage.upstream.requests.filter((r) => r.startLine.includes('/cut')).length, 0);
    });
  }
});
