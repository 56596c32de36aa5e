import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type Attached, gate, stage, ticks } from '../../test/fixtures/data-plane.ts';
import { type RawClient, statusOf, values } from '../../test/fixtures/raw-client.ts';
import { ok, send, silent } from '../../test/fixtures/raw-upstream.ts';
import { CONTINUE, type Policy, reject } from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';

const HOST = 'Host: a.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;

const attached = (policy: Policy): Attached => ({ policy });
const slowResponse = attached({ response: async () => CONTINUE });
const statuses = (client: RawClient): number[] => client.responses.map(statusOf);

describe('policies that take their time', () => {
  for (const [name, answer] of [
    ['no body', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n'],
  ]) {
    stage(
      `response phase, ${name}: the upstream connection stays usable`,
      { policies: [slowResponse] },
      { answer: send(answer) },
      async ({ plane, upstream }) => {
        const client = await plane.connect();
        for (let i = 1; i <= 3; i++) {
          client.send(GET);
          assert.equal((await client.response(i, 2000))?.complete, true, `answer ${i}`);
        }
        assert.equal(upstream.connections.length, 1);
      },
    );
  }
  const verdict = gate<typeof CONTINUE>();
  stage(
    'an exchange that ended meanwhile writes nothing into the next one',
    { policies: [attached({ response: () => verdict.promise })] },
    { onHead: send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst'), answer: silent },
    async ({ plane, upstream }) => {
      const client = await plane.send(post('Transfer-Encoding: chunked\r\n', '1\r\nx\r\n'));
      await upstream.until((u) => u.connections[0]?.bytes.includes('x\r\n') === true);
      await ticks(1);
      client.send('zz\r\n');
      assert.equal(statusOf((await client.response())!), 400);
      verdict.open(CONTINUE);
      assert.ok(await client.closedWithin(5000));
      assert.deepEqual(statuses(client), [400]);
      assert.ok(!client.received.includes('first'));
    },
  );
  const broken: Policy = { responseChunk: async () => JSON.parse('{"kind":"replace"}') };
  stage(
    'a chunk decision without bytes cuts the answer, and nothing else',
    { policies: [attached(broken)] },
    { answer: ok('hello') },
    async ({ plane }) => {
      const client = await plane.send(GET);
      assert.ok(await client.closedWithin(3000));
      assert.ok(!client.responses[0]?.complete);
      assert.equal((await plane.recorded(1))[0].error, 'internal');
    },
  );
  const order: string[] = [];
  const shout: Policy = {
    request: async () => {
      await null;
      order.push('request');
      return CONTINUE;
    },
    response: async (c) => {
      await null;
      order.push('response');
      c.edits.setResponseHeader('X-Edited', '1');
      return CONTINUE;
    },
    responseChunk: async (_, b) => {
      await null;
      return { kind: 'replace', bytes: Buffer.from(Buffer.from(b).toString().toUpperCase()) };
    },
  };
  stage(
    'every phase in order, the answer framed anew',
    { policies: [attached(shout)] },
    { answer: ok('hello') },
    async ({ plane }) => {
      const client = await plane.send(GET + GET);
      const response = await client.response(2);
      assert.deepEqual([response?.body.toString(), response?.chunkLines], ['HELLO', ['5', '0']]);
      assert.deepEqual(values(response!, 'x-edited'), ['1']);
      assert.deepEqual(order, ['request', 'response', 'request', 'response']);
    },
  );
  const gates = { a: gate<typeof CONTINUE>(), b: gate<typeof CONTINUE>() };
  const uneven: Policy = {
    responseChunk: (_, bytes) => {
      const piece = Buffer.from(bytes).toString();
      return piece === 'a' || piece === 'b' ? gates[piece].promise : CONTINUE;
    },
  };
  const chunks = (text: string): string => Array.from(text, (c) => `1\r\n${c}\r\n`).join('');
  stage(
    'a quick piece does not overtake a slow one',
    { policies: [attached(uneven)] },
    { answer: send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks('ab')}`) },
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      await upstream.until((u) => u.requests.length === 1);
      gates.a.open(CONTINUE);
      await client.until((c) => c.responses[0]?.body.toString() === 'a');
      upstream.connections[0].socket.write(`${chunks('c')}0\r\n\r\n`);
      await ticks(1);
      assert.equal(client.responses[0].body.toString(), 'a');
      gates.b.open(CONTINUE);
      assert.equal((await client.response())?.body.toString(), 'abc');
    },
  );
  for (const late of [false, true]) {
    const refuse: Policy = { response: () => (late ? Promise.resolve(refusal) : refusal) };
    const refusal = reject(new PolicyRejection('response-rejected', 'Withheld.'));
    stage(
      `a refused answer${late ? ', later' : ''}: 502, none of it leaks, the connection is kept`,
      { policies: [attached(refuse)] },
      { answer: ok('secret') },
      async ({ plane }) => {
        const client = await plane.send(GET + GET);
        await client.response(2);
        assert.deepEqual(statuses(client), [502, 502]);
        assert.ok(!client.received.includes('secret'));
      },
    );
  }
  const abort: Policy = {
    responseChunk: (_, b) =>
      Buffer.from(b).includes('bad')
        ? { kind: 'abort', error: new PolicyRejection('response-rejected', '') }
        : CONTINUE,
  };
  stage(
    'a piece that is refused cuts the answer',
    { policies: [attached(abort)] },
    {
      answer: send(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n3\r\nbad\r\n4\r\nmore\r\n0\r\n\r\n',
      ),
    },
    async ({ plane }) => {
      const client = await plane.send(GET);
      assert.ok(await client.closedWithin(3000));
      assert.deepEqual([client.responses[0].body.toString(), client.responses[0].complete], ['good', false]);
      const [record] = await plane.recorded(1);
      assert.deepEqual([record.status, record.error, record.decisions.length], [200, 'response-rejected', 1]);
    },
  );
});
