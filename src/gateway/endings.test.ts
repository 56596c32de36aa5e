import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type Attached, gate, settled, stage } from '../../test/fixtures/data-plane.ts';
import { statusOf } from '../../test/fixtures/raw-client.ts';
import { ok, send, sendThenReset, silent } from '../../test/fixtures/raw-upstream.ts';
import { CONTINUE, type PolicyContext, type RequestEnd, reject, respond } from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';

const HOST = 'Host: a.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const NO = reject(new PolicyRejection('forbidden', 'No.'));

/** Asks to be told of the end of each request. */
class Listening {
  readonly ends: RequestEnd[] = [];
  readonly attached: Attached = {
    policy: {
      request: (c) => {
        this.listen(c);
        return CONTINUE;
      },
    },
  };

  listen(c: PolicyContext): void {
    c.onEnd((end) => void this.ends.push(end));
  }

  get told(): string[] {
    return this.ends.map(({ status, code }) => `${status} ${code ?? '-'}`);
  }
}

describe('a policy is told once how a request ended', () => {
  const one = new Listening();
  stage('answered by the upstream', { policies: [one.attached] }, { answer: ok() }, async ({ plane }) => {
    const client = await plane.send(GET);
    assert.equal(statusOf((await client.response())!), 200);
    assert.deepEqual(one.told, ['200 -']);
    assert.equal(typeof one.ends[0].upstreamMs, 'number');
    assert.deepEqual(
      one.ends[0].decisions.map(({ outcome }) => outcome),
      ['continue'],
    );
  });

  const two = new Listening();
  const refuses: Attached = { policy: { request: () => NO } };
  stage(
    'refused by a policy behind it',
    { policies: [two.attached, refuses] },
    { answer: ok() },
    async ({ plane }) => {
      const client = await plane.send(GET);
      assert.equal(statusOf((await client.response())!), 403);
      assert.deepEqual(two.told, ['403 forbidden']);
    },
  );

  const three = new Listening();
  const answers: Attached = {
    policy: { request: () => respond({ status: 204, headers: [], body: '' }) },
  };
  stage(
    'answered by a policy',
    { policies: [three.attached, answers] },
    { answer: ok() },
    async ({ plane }) => {
      const client = await plane.send(GET);
      assert.equal(statusOf((await client.response())!), 204);
      assert.deepEqual(three.told, ['204 -']);
    },
  );

  const four = new Listening();
  stage(
    'the upstream fails',
    { policies: [four.attached] },
    { answer: sendThenReset('') },
    async ({ plane }) => {
      const client = await plane.send(GET);
      assert.equal(statusOf((await client.response())!), 502);
      assert.deepEqual(four.told, ['502 upstream-reset']);
    },
  );

  const five = new Listening();
  stage(
    'the answer breaks off',
    { policies: [five.attached] },
    { answer: sendThenReset('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc') },
    async ({ plane }) => {
      const client = await plane.send(GET);
      assert.ok(await client.closedWithin(3000));
      assert.deepEqual(five.told, ['200 upstream-reset']);
    },
  );

  const six = new Listening();
  stage(
    'the client goes away',
    { policies: [six.attached] },
    { answer: silent },
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      await settled(() => upstream.requests.length === 1, 'the request');
      client.socket.resetAndDestroy();
      await settled(() => six.ends.length > 0, 'the end');
      assert.deepEqual(six.told, ['0 client-closed-request']);
    },
  );

  const seven = new Listening();
  const late = gate<void>();
  const waiting: Attached = {
    policy: {
      request: async (c) => {
        await late.promise;
        seven.listen(c);
        return CONTINUE;
      },
    },
  };
  stage('who asks after it has ended', { policies: [waiting] }, { answer: ok() }, async ({ plane }) => {
    const client = await plane.send(GET);
    client.socket.resetAndDestroy();
    await plane.recorded(1);
    late.open();
    await settled(() => seven.ends.length > 0, 'the end');
    assert.deepEqual(seven.told, ['0 client-closed-request']);
    await settled(() => seven.ends[0].decisions.length > 0, 'the decision that came later');
  });

  const eight = new Listening();
  const upgraded = 'HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
  stage('a tunnel', { policies: [eight.attached] }, { answer: send(upgraded) }, async ({ plane }) => {
    const client = await plane.send(
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    );
    await settled(() => client.received.includes('HTTP/1.1 101'), 'the switch');
    assert.deepEqual(eight.told, []);
    client.socket.destroy();
    await settled(() => eight.ends.length > 0, 'the end');
    assert.deepEqual(eight.told, ['101 -']);
  });

  const nine = new Listening();
  const shadow: Attached = { ...nine.attached, mode: 'shadow' };
  stage('in shadow as well', { policies: [shadow] }, { answer: ok() }, async ({ plane }) => {
    const client = await plane.send(GET);
    await client.response();
    assert.deepEqual(nine.told, ['200 -']);
  });

  const broken: Attached = {
    policy: {
      request: (c) => {
        c.onEnd(() => {
          throw new Error('at the end');
        });
        return CONTINUE;
      },
    },
  };
  stage('what it throws harms nobody', { policies: [broken] }, { answer: ok() }, async ({ plane }) => {
    const client = await plane.send(GET);
    assert.equal(statusOf((await client.response())!), 200);
    assert.equal((await plane.recorded(1))[0].status, 200);
    assert.deepEqual(plane.logged, ['exchange-failed']);
  });
});
