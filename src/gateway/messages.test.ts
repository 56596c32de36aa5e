import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Plane } from '../../test/fixtures/data-plane.ts';
import { type RawClient, statusOf, values } from '../../test/fixtures/raw-client.ts';
import {
  type Answer,
  forwardingFaults,
  ok,
  RawUpstream,
  send,
  sendThenEnd,
} from '../../test/fixtures/raw-upstream.ts';
import { CONTINUE, type Decision, type PolicyContext } from '../contract/index.ts';

const HOST = 'Host: a.test\r\n';
const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\n${HOST}${fields}\r\n`;
const post = (path: string, fields: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;

/** Answers with its target as body. */
const echo: Answer = (socket, request, index) => ok(request.startLine.split(' ')[1])(socket, request, index);

let upstream: RawUpstream;
let plane: Plane;
before(async () => {
  upstream = await RawUpstream.start({ answer: echo });
  plane = await Plane.start({ targets: [upstream.port], paths: ['/ok/**'], limits: { bodyBytes: 1000 } });
});
after(async () => {
  await plane.close();
  await upstream.stop();
});

/** Everything a client got on one connection, as `status body`. */
async function conversation(
  bytes: string,
  answers: number,
  methods: string[] = [],
): Promise<{ answers: string[]; client: RawClient }> {
  const client = await plane.send(bytes, methods);
  await client.response(answers);
  const told = client.responses.map((r) =>
    `${statusOf(r)} ${statusOf(r) < 400 ? r.body.toString() : ''}`.trim(),
  );
  return { answers: told, client };
}

describe('several requests on one connection', () => {
  it('pipelined: answered in order, refusals between them', async () => {
    const bytes =
      get('/ok/1') +
      get('/none') +
      get('/ok/2') +
      post('/none', 'Content-Length: 5\r\n', 'hello') +
      get('/ok/3');
    const { answers, client } = await conversation(bytes, 5);
    assert.deepEqual(answers, ['200 /ok/1', '404', '200 /ok/2', '404', '200 /ok/3']);
    assert.equal(client.state, 'open');
  });
  it('pipelined with bodies, cut at every place', async () => {
    upstream.answer = (socket, request, i) => ok(request.body.toString('latin1'))(socket, request, i);
    const bytes =
      post('/ok/1', 'Transfer-Encoding: chunked\r\n', '2\r\nab\r\n1;x\r\nc\r\n0\r\nT: v\r\n\r\n') +
      post('/ok/2', 'Content-Length: 3\r\n', 'def') +
      get('/ok/3');
    for (let cut = 1; cut < bytes.length; cut += 3) {
      const client = await plane.send(bytes.slice(0, cut));
      await new Promise((resolve) => setImmediate(resolve));
      client.send(bytes.slice(cut));
      await client.response(3);
      assert.deepEqual(
        client.responses.map((r) => r.body.toString()),
        ['abc', 'def', ''],
        `cut at ${cut}`,
      );
      client.close();
    }
    upstream.answer = echo;
  });
  it('one empty line between requests is ignored, two are not', async () => {
    assert.deepEqual((await conversation(`\r\n${get('/ok/1')}\r\n${get('/ok/2')}`, 2)).answers, [
      '200 /ok/1',
      '200 /ok/2',
    ]);
    assert.deepEqual((await conversation(`${get('/ok/1')}\r\n\r\n${get('/ok/2')}`, 2)).answers, [
      '200 /ok/1',
      '400',
    ]);
  });
  it('nothing behind a request that closes is answered', async () => {
    const { answers, client } = await conversation(get('/ok/1', 'Connection: close\r\n') + get('/ok/2'), 2);
    assert.deepEqual(answers, ['200 /ok/1']);
    assert.ok(await client.closedWithin(3000));
  });
  it('nothing behind a malformed head is answered', async () => {
    const { answers, client } = await conversation(
      `${get('/ok/1')}GET /ok/2 HTTP/1.1\r\nA : b\r\n\r\n${get('/ok/3')}`,
      3,
    );
    assert.deepEqual(answers, ['200 /ok/1', '400']);
    assert.ok(await client.closedWithin(3000));
  });
  it('kept-alive upstream connections are used again', async () => {
    const before = upstream.connections.length;
    for (let i = 0; i < 3; i++)
      assert.deepEqual((await conversation(get('/ok/k'), 1)).answers, ['200 /ok/k']);
    assert.ok(upstream.connections.length <= before + 1);
  });
});

describe('HTTP/1.0', () => {
  const cases: [name: string, fields: string, answer: string, connection: string[], state: string][] = [
    ['closes', '', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi', ['close'], 'closed'],
    [
      'keeps when asked',
      'Connection: keep-alive\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
      ['keep-alive'],
      'open',
    ],
    [
      'gets no chunks',
      'Connection: keep-alive\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
      ['close'],
      'closed',
    ],
    [
      'gets no interim answers',
      '',
      'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
      ['close'],
      'closed',
    ],
  ];
  for (const [name, fields, answer, connection, state] of cases) {
    it(name, async () => {
      upstream.answer = send(answer);
      const client = await plane.send(`GET /ok/1 HTTP/1.0\r\n${HOST}${fields}\r\n`);
      if (state === 'closed') assert.ok(await client.closedWithin(3000));
      const response = await client.response();
      assert.ok(response?.complete);
      assert.equal(response.body.toString(), 'hi');
      assert.deepEqual(values(response, 'connection'), connection);
      assert.deepEqual(values(response, 'transfer-encoding'), []);
      assert.equal(client.responses.length, 1);
      assert.equal(client.state, state);
      upstream.answer = echo;
    });
  }
});

describe('answers without a body', () => {
  const cases: [name: string, method: string, answer: string, length: string[]][] = [
    ['HEAD by length', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n', ['99']],
    ['HEAD chunked', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', []],
    ['304 with a length', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n', ['99']],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', []],
    ['204 with a length (RFC 9110 §8.6)', 'GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', []],
    ['204 with a lying length', 'GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', []],
    ['length 0', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', ['0']],
  ];
  for (const [name, method, answer, length] of cases) {
    it(name, async () => {
      upstream.answer = send(answer);
      const client = await plane.send(`${method} /ok/1 HTTP/1.1\r\n${HOST}\r\n`, [method]);
      const response = await client.response();
      assert.ok(response !== undefined);
      assert.deepEqual(values(response, 'content-length'), length);
      assert.deepEqual(values(response, 'transfer-encoding'), []);
      upstream.answer = echo;
      client.send(get('/ok/next'));
      assert.equal((await client.response(2))?.body.toString(), '/ok/next');
    });
  }
  it('a refusal of HEAD has no body either', async () => {
    const client = await plane.send(`HEAD /none HTTP/1.1\r\n${HOST}\r\n${get('/ok/1')}`, ['HEAD']);
    assert.equal((await client.response(2))?.body.toString(), '/ok/1');
    assert.equal(statusOf(client.responses[0]), 404);
  });
});

describe('bodies', () => {
  it('chunks both ways, framed anew, with trailers', async () => {
    upstream.answer = send(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-T: v\r\nSet-Cookie: a=b\r\n\r\n',
    );
    const sent = upstream.requests.length;
    const client = await plane.send(
      post(
        '/ok/1',
        'Transfer-Encoding: chunked\r\n',
        '2;x\r\nab\r\n1\r\nc\r\n0\r\nX-U: w\r\nX-Consumer-Id: root\r\n\r\n',
      ),
    );
    const response = await client.response();
    assert.deepEqual([response?.body.toString(), response?.chunkLines], ['abc', ['3', '0']]);
    assert.match(client.received.toString(), /\r\n0\r\nX-T: v\r\n\r\n$/);
    const request = upstream.requests[sent];
    assert.deepEqual([request.body.toString(), request.chunkLines], ['abc', ['2', '1', '0']]);
    assert.match(upstream.bytes.toString(), /\r\n0\r\nX-U: w\r\n\r\n/);
    upstream.answer = echo;
  });
  it('trailers that Connection names, or that a policy sets or removes, end here', async () => {
    const trailers = 'X-Named: 1\r\nX-Set: 2\r\nx-removed: 3\r\nX_Set: 3\r\nX-Kept: 4\r\n';
    const edited = await Plane.start({
      targets: [upstream.port],
      policies: [
        {
          policy: {
            request(c) {
              c.edits.setRequestHeader('X-Set', 'ours');
              c.edits.removeRequestHeader('X-Removed');
              c.edits.setResponseHeader('X-Set', 'ours');
              c.edits.removeResponseHeader('X-Removed');
              return CONTINUE;
            },
          },
        },
      ],
    });
    const head = 'Transfer-Encoding: chunked\r\nConnection: keep-alive, X-Named\r\n';
    upstream.answer = send(`HTTP/1.1 200 OK\r\n${head}\r\n1\r\na\r\n0\r\n${trailers}\r\n`);
    const before = upstream.bytes.length;
    const client = await edited.send(post('/ok/1', head, `1\r\na\r\n0\r\n${trailers}\r\n`));
    assert.equal((await client.response())?.complete, true);
    assert.match(client.received.toString(), /\r\n0\r\nX-Kept: 4\r\n\r\n$/);
    assert.match(upstream.bytes.subarray(before).toString(), /\r\n0\r\nX-Kept: 4\r\n\r\n$/);
    upstream.answer = echo;
    await edited.close();
  });
  it('until the end of the connection becomes chunks', async () => {
    upstream.answer = sendThenEnd('HTTP/1.1 200 OK\r\n\r\nall of it');
    const client = await plane.send(get('/ok/1'));
    const response = await client.response();
    assert.ok(response?.complete && response.chunkLines.length > 0);
    assert.equal(response.body.toString(), 'all of it');
    assert.equal(client.state, 'open');
    upstream.answer = echo;
  });
  for (const [name, bytes] of [
    ['by length', post('/ok/1', 'Content-Length: 1001\r\n', '')],
    [
      'in one chunk',
      post('/ok/1', 'Transfer-Encoding: chunked\r\n', `3e9\r\n${'x'.repeat(1001)}\r\n0\r\n\r\n`),
    ],
    [
      'in many',
      post('/ok/1', 'Transfer-Encoding: chunked\r\n', `${'64\r\n'}${'x'.repeat(100)}\r\n`.repeat(11)),
    ],
  ]) {
    it(`too large ${name}: refused, closed, never whole upstream`, async () => {
      const before = upstream.requests.length;
      const { answers, client } = await conversation(bytes, 1);
      assert.deepEqual(answers, ['413']);
      assert.ok(await client.closedWithin(3000));
      assert.equal(upstream.requests.length, before);
    });
  }
  it('too large by length: policies are asked first and told of its end, or nobody would count a flood of them', async () => {
    const seen: string[] = [];
    const request = (c: PolicyContext): Decision => {
      seen.push('asked');
      c.onEnd(({ code }) => void seen.push(`${code}`));
      return CONTINUE;
    };
    const counting = await Plane.start({
      targets: [upstream.port],
      paths: ['/ok/**'],
      policies: [{ policy: { request } }],
      limits: { bodyBytes: 1000 },
    });
    const client = await counting.send(post('/ok/1', 'Content-Length: 1001\r\n', ''));
    const response = await client.response();
    assert.ok(response !== undefined);
    assert.equal(statusOf(response), 413);
    assert.deepEqual(seen, ['asked', 'payload-too-large']);
    await counting.close();
  });
  it('as large as allowed', async () => {
    assert.deepEqual(
      (await conversation(post('/ok/1', 'Content-Length: 1000\r\n', 'x'.repeat(1000)), 1)).answers,
      ['200 /ok/1'],
    );
  });
  it('a broken chunk: refused, closed, never whole upstream', async () => {
    const before = upstream.requests.length;
    const { answers, client } = await conversation(
      post('/ok/1', 'Transfer-Encoding: chunked\r\n', '2\r\nabc\r\n0\r\n\r\n'),
      1,
    );
    assert.deepEqual(answers, ['400']);
    assert.ok(await client.closedWithin(3000));
    assert.equal(upstream.requests.length, before);
  });
  it('an explicit zero stays explicit', async () => {
    const before = upstream.requests.length;
    await conversation(post('/ok/1', 'Content-Length: 0\r\n', ''), 1);
    assert.deepEqual(values(upstream.requests[before], 'content-length'), ['0']);
  });
});

describe('Expect', () => {
  const fields = 'Expect: 100-continue\r\nContent-Length: 5\r\n';
  it('100 once the request is accepted, then the answer', async () => {
    const client = await plane.send(post('/ok/1', fields, ''));
    assert.ok(await client.until((c) => c.responses.length === 1));
    assert.equal(client.received.toString(), 'HTTP/1.1 100 Continue\r\n\r\n');
    client.send('hello');
    assert.equal((await client.response())?.body.toString(), '/ok/1');
    assert.deepEqual(values(upstream.requests[upstream.requests.length - 1], 'expect'), []);
  });
  it('a refusal without it; the body that may or may not come closes', async () => {
    const { answers, client } = await conversation(post('/none', fields, ''), 1);
    assert.deepEqual(answers, ['404']);
    assert.ok(await client.closedWithin(3000));
  });
  it('no 100 for HTTP/1.0', async () => {
    const client = await plane.send(`POST /ok/1 HTTP/1.0\r\n${HOST}${fields}\r\nhello`);
    assert.equal((await client.response())?.body.toString(), '/ok/1');
    assert.equal(client.responses.length, 1);
  });
  it('anything else', async () => {
    assert.deepEqual((await conversation(get('/ok/1', 'Expect: the-unexpected\r\n'), 1)).answers, ['417']);
  });
});

describe('interim answers', () => {
  it('travel before the final one; 100 does not', async () => {
    upstream.answer = send(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\nConnection: x\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    );
    const client = await plane.send(get('/ok/1'));
    await client.response();
    assert.deepEqual(client.responses.map(statusOf), [103, 200]);
    assert.deepEqual(client.responses[0].fields, [['Link', 'a']]);
    upstream.answer = echo;
  });
  it('stop where a policy has a say in answers', async () => {
    const request = (c: PolicyContext): Decision => {
      c.edits.removeResponseHeader('Link');
      return CONTINUE;
    };
    const policies = [{ policy: { request } }, { policy: { response: () => CONTINUE } }];
    for (const policy of policies) {
      const guarded = await Plane.start({ targets: [upstream.port], policies: [policy] });
      upstream.answer = send(
        'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
      );
      const client = await guarded.send(get('/ok/1'));
      assert.equal(statusOf((await client.response())!), 200);
      assert.equal(client.responses.length, 1);
      await guarded.close();
    }
    upstream.answer = echo;
  });
  it('too many are a malformed answer', async () => {
    upstream.answer = send(
      `${'HTTP/1.1 103 x\r\n\r\n'.repeat(17)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`,
    );
    const client = await plane.send(get('/ok/1'));
    await client.response();
    assert.equal(statusOf(client.responses[client.responses.length - 1]), 502);
    upstream.answer = echo;
  });
});

describe('the hop', () => {
  it('what is for one hop only stays there, in both directions', async () => {
    const drop =
      'Keep-Alive: 1\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nTE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n';
    upstream.answer = send(
      `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x-a, upgrade\r\nX-A: 1\r\nX-B: 2\r\n${drop}X-Policy-Revision: z\r\nX-Request-Id: z\r\n\r\n`,
    );
    const before = upstream.requests.length;
    const client = await plane.send(
      get(
        '/ok/1',
        `Connection: x-a, x-forwarded-for, via, upgrade, X-Consumer-Id\r\nX-A: 1\r\nX-B: 2\r\n${drop}X-Forwarded-For: 6.6.6.6\r\nX-Consumer-Id: root\r\nX-Real-IP: 6.6.6.6\r\nVia: 1.0 me\r\n`,
      ),
    );
    const response = await client.response();
    assert.ok(response !== undefined);
    const names = response.fields.map(([name]) => name.toLowerCase()).sort();
    assert.deepEqual(names, ['content-length', 'x-b', 'x-policy-revision', 'x-request-id']);
    assert.deepEqual(values(response, 'x-policy-revision'), ['a'.repeat(64)]);
    const request = upstream.requests[before];
    assert.deepEqual(request.fields.map(([name]) => name.toLowerCase()).sort(), [
      'host',
      'traceparent',
      'via',
      'x-b',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-request-id',
    ]);
    assert.deepEqual(values(request, 'x-forwarded-for'), ['127.0.0.1']);
    assert.deepEqual(values(request, 'via'), ['1.0 me, 1.1 sallyport']);
    upstream.answer = echo;
  });
  it('the path that was judged is the path that is sent', async () => {
    const before = upstream.requests.length;
    await conversation(get('/x/..//ok/%7ea/./b?q=/../%2e'), 1);
    assert.equal(upstream.requests[before].startLine, 'GET /ok/~a/b?q=/../%2e HTTP/1.1');
  });
  it('thousands of names in Connection', async () => {
    const fields = `Connection: ${'a,'.repeat(12_000)}\r\n${'B: 1\r\n'.repeat(90)}`;
    assert.deepEqual((await conversation(get('/ok/1', fields), 1)).answers, ['200 /ok/1']);
  });
  it('nothing sent upstream can be read in two ways', () => {
    for (const connection of upstream.connections) {
      const faults = forwardingFaults(connection);
      assert.deepEqual(
        faults.filter((fault) => !fault.startsWith('an unfinished')),
        [],
      );
    }
  });
});

describe('OPTIONS *', () => {
  it('is answered by the gateway, never forwarded', async () => {
    const before = upstream.requests.length;
    const { answers } = await conversation(`OPTIONS * HTTP/1.1\r\n${HOST}\r\n${get('/ok/1')}`, 2);
    assert.deepEqual(answers, ['204', '200 /ok/1']);
    assert.equal(upstream.requests.length, before + 1);
  });
});

describe('lookalikes', () => {
  for (const field of ['Content_Length: 50', 'Transfer_Encoding: chunked']) {
    it(`${field}: the connection is not read on`, async () => {
      const { answers, client } = await conversation(get('/ok/1', `${field}\r\n`) + get('/ok/2'), 2);
      assert.deepEqual(answers, ['400']);
      assert.ok(await client.closedWithin(3000));
    });
  }
});

describe('what is no request is counted by reason', () => {
  const cases: readonly (readonly [bytes: string, status: string, reason: string])[] = [
    [post('/ok/1', 'Transfer-Encoding: chunked\r\n', 'zz\r\n'), '400', 'chunk-size'],
    [post('/ok/1', 'Transfer-Encoding: chunked\r\n', '3x\r\n'), '400', 'chunk-size'],
    [post('/ok/1', 'Content-Length: 1001\r\n', ''), '413', 'body-too-large'],
    [get('/ok/1', 'Expect: the-unexpected\r\n'), '417', 'expect'],
    [get('/ok/%zz'), '400', 'path-encoding'],
    ['GET / HTTP/1.1\r\n\r\n', '400', 'host-missing'],
  ];
  for (const [bytes, status, reason] of cases) {
    it(`${status} ${reason}`, async () => {
      const key = `sallyport_requests_refused_total{listener=l,reason=${reason}}`;
      const before = plane.meter.counts.get(key) ?? 0;
      assert.deepEqual((await conversation(bytes, 1)).answers, [status]);
      assert.equal(plane.meter.counts.get(key), before + 1);
    });
  }
});
