import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeCounts, Plane, settled } from '../../test/fixtures/data-plane.ts';
import { statusOf } from '../../test/fixtures/raw-client.ts';
import { ok, RawUpstream } from '../../test/fixtures/raw-upstream.ts';
import type { ListenerLimits } from '../contract/index.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
const refused = (plane: Plane, reason: string): number =>
  plane.meter.counts.get(`sallyport_connections_refused_total{listener=l,reason=${reason}}`) ?? 0;

/** Two data sides that are workers of one node. */
async function onNode(
  limits: Partial<ListenerLimits>,
  story: (one: Plane, other: Plane) => Promise<void>,
): Promise<void> {
  const upstream = await RawUpstream.start({ answer: ok() });
  const counts = nodeCounts();
  const planes: Plane[] = [];
  try {
    for (const _ of [1, 2]) planes.push(await Plane.start({ targets: [upstream.port], limits }, counts));
    await story(planes[0], planes[1]);
    for (const plane of planes) await plane.close();
  } finally {
    for (const plane of planes) plane.abandon();
    await upstream.stop();
  }
}

/** Whether a new connection is served; else it was closed unanswered. */
async function isServed(plane: Plane): Promise<boolean> {
  const client = await plane.send(GET);
  const answer = await client.response();
  if (answer !== undefined) return statusOf(answer) === 200;
  assert.ok(await client.closedWithin(3000));
  return false;
}

describe('connections of a node', () => {
  const OPEN: readonly (readonly [reason: string, limits: Partial<ListenerLimits>])[] = [
    ['connections', { connections: 3 }],
    ['connections-per-address', { connectionsPerAddress: 3 }],
  ];
  for (const [reason, limits] of OPEN) {
    it(`${reason}: are counted over its workers, and given back`, async () => {
      await onNode(limits, async (one, other) => {
        const first = await one.send(GET);
        assert.ok(await first.response());
        assert.deepEqual([await isServed(one), await isServed(other)], [true, true]);
        assert.deepEqual([await isServed(one), await isServed(other)], [false, false]);
        assert.deepEqual([refused(one, reason), refused(other, reason)], [1, 1]);
        first.close();
        await settled(() => one.dataPlane.openConnections === 1, 'the connection to end');
        assert.deepEqual([await isServed(other), await isServed(other)], [true, false]);
      });
    });
  }

  const BEGUN: readonly (readonly [reason: string, limits: Partial<ListenerLimits>])[] = [
    ['new-connections', { newConnections: 3 }],
    ['new-connections-per-address', { newConnectionsPerAddress: 3 }],
  ];
  for (const [reason, limits] of BEGUN) {
    it(`${reason}: are counted over its workers, and more may begin with time`, async () => {
      await onNode(limits, async (one, other) => {
        // The clock goes on while they come: more than three may be let in, but not so many.
        const came: boolean[] = [];
        for (let i = 0; i < 10; i++) came.push(await isServed(one), await isServed(other));
        assert.deepEqual(came.slice(0, 3), [true, true, true]);
        assert.ok(came.includes(false));
        assert.ok(refused(one, reason) + refused(other, reason) >= 1);
        one.advance(1100);
        other.advance(1100);
        assert.equal(await isServed(one), true);
      });
    });
  }

  it('one that may not come from its address takes no place among all', async () => {
    await onNode({ connections: 2, connectionsPerAddress: 1 }, async (one, other) => {
      assert.equal(await isServed(one), true);
      for (let i = 0; i < 5; i++) assert.equal(await isServed(other), false);
      assert.equal(refused(other, 'connections'), 0);
      assert.equal(refused(other, 'connections-per-address'), 5);
    });
  });
});
