import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gate, settled, stage } from '../../test/fixtures/data-plane.ts';
import { type RawClient, statusOf } from '../../test/fixtures/raw-client.ts';
import { ok, silent } from '../../test/fixtures/raw-upstream.ts';
import { CONTINUE, type Decision } from '../contract/index.ts';

const HOST = 'Host: a.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const from = (client: string): string => `GET / HTTP/1.1\r\n${HOST}X-Forwarded-For: ${client}\r\n\r\n`;
const UPGRADE = `GET /chat HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
const BANNED = '127.0.0.0/8';
const BEHIND_PROXY = { listener: { trusts: () => true } };

/** The n-th answer is a 403 that says nothing of the ban. */
async function isTurnedAway(client: RawClient, n: number): Promise<void> {
  const answer = await client.response(n);
  assert.ok(answer !== undefined);
  assert.equal(statusOf(answer), 403);
  const { code, rule, policy } = JSON.parse(answer.body.toString());
  assert.equal(code, 'address-banned');
  assert.deepEqual([policy, answer.body.toString().includes('scans')], [undefined, false], String(rule));
}

describe('a banned client', () => {
  stage(
    'is refused with its next request on a kept connection, which is then closed',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      assert.equal(statusOf((await client.response()) ?? assert.fail()), 200);
      plane.ban(BANNED);
      assert.equal(client.state, 'open', 'an idle connection is told with its next request');
      client.send(`${GET}${GET}`);
      await isTurnedAway(client, 2);
      assert.ok(await client.closedWithin(3000));
      assert.equal(client.responses.length, 2, 'what came after it is not answered');
      assert.equal(upstream.connections.flatMap(({ requests }) => requests).length, 1);
      const record = (await plane.recorded(2))[1];
      assert.deepEqual([record.client, record.status, record.error], ['127.0.0.1', 403, 'address-banned']);
    },
  );

  stage('is served again when the ban has ended', {}, { answer: ok() }, async ({ plane }) => {
    plane.ban(BANNED);
    await isTurnedAway(await plane.send(GET), 1);
    plane.ban();
    assert.equal(statusOf((await (await plane.send(GET)).response()) ?? assert.fail()), 200);
  });

  stage(
    'does not see the end of an answer that is under way',
    {},
    { answer: (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc') },
    async ({ plane }) => {
      const client = await plane.send(GET);
      assert.ok(await client.until(({ received }) => received.includes('abc')));
      plane.ban(BANNED);
      assert.ok(await client.closedWithin(1000));
      assert.equal(client.responses[0].complete, false);
      await plane.recorded(1);
    },
  );

  stage(
    'gets no answer to a request that is under way, and its upstream is let go',
    {},
    { answer: silent },
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      await settled(() => upstream.connections.length === 1, 'the request');
      plane.ban(BANNED);
      assert.ok(await client.closedWithin(1000));
      assert.equal(client.received.length, 0);
      await settled(() => upstream.connections[0].closed, 'the end of the upstream connection');
    },
  );

  const slow = gate<Decision>();
  let isAsked = false;
  const thinking = {
    request: () => {
      isAsked = true;
      return slow.promise;
    },
  };
  stage(
    'gets no answer while a policy thinks',
    { policies: [{ policy: thinking }] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      await settled(() => isAsked, 'the policy');
      plane.ban(BANNED);
      await client.closedWithin(1000);
      slow.open(CONTINUE);
      await plane.recorded(1);
      assert.equal(upstream.connections.length, 0);
    },
  );

  const accept = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  stage(
    'is cut off from its tunnel',
    {},
    { answer: (socket) => void socket.write(accept) },
    async ({ plane }) => {
      const client = await plane.send(UPGRADE);
      assert.equal(statusOf((await client.response()) ?? assert.fail()), 101);
      plane.ban(BANNED);
      assert.ok(await client.closedWithin(1000));
      await plane.recorded(1);
    },
  );
});

describe('a banned client behind a trusted proxy', () => {
  stage(
    'is refused alone: the connection is its proxy’s',
    BEHIND_PROXY,
    { answer: ok() },
    async ({ plane }) => {
      plane.ban('203.0.113.0/24', '2001:db8::/64');
      const proxy = await plane.send(from('198.51.100.1'));
      assert.equal(statusOf((await proxy.response()) ?? assert.fail()), 200);
      proxy.send(from('203.0.113.9'));
      await isTurnedAway(proxy, 2);
      proxy.send(from('2001:db8::7'));
      await isTurnedAway(proxy, 3);
      // CHECKLIST 24: a mapped address is the IPv4 address.
      proxy.send(from('::ffff:203.0.113.9'));
      await isTurnedAway(proxy, 4);
      proxy.send(from('198.51.100.1'));
      assert.equal(statusOf((await proxy.response(5)) ?? assert.fail()), 200);
      assert.equal(proxy.state, 'open');
      const clients = (await plane.recorded(5)).map(({ client }) => client);
      assert.deepEqual(clients, [
        '198.51.100.1',
        '203.0.113.9',
        '2001:db8::7',
        '203.0.113.9',
        '198.51.100.1',
      ]);
    },
  );

  stage(
    'loses what is under way, and nobody else does',
    BEHIND_PROXY,
    { answer: silent },
    async ({ plane, upstream }) => {
      const [theirs, others] = [
        await plane.send(from('203.0.113.9')),
        await plane.send(from('198.51.100.1')),
      ];
      await settled(() => upstream.connections.length === 2, 'both requests');
      plane.ban('203.0.113.9/32');
      assert.ok(await theirs.closedWithin(1000));
      assert.equal(others.state, 'open');
    },
  );
});
