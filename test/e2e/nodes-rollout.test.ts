/** One rollout on several gateways: who drives it is killed, paused and cut off. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { type Answer, Fleet, type FleetNode } from '../fixtures/fleet.ts';
import { PostgresServer } from '../fixtures/postgres-server.ts';
import { eventually } from '../fixtures/process.ts';

const server = await PostgresServer.start();
const origin = createServer((_, response) => response.end('here'));
origin.listen(0, '127.0.0.1');
await once(origin, 'listening');
const upstream = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
after(async () => {
  origin.close();
  origin.closeAllConnections();
  await server.stop();
});

/** Ten seconds of silence, two between looks, and a busy machine. */
const LOST_WITHIN_MS = 30_000;
const SOON_MS = 10_000;

const rollout = { steps: [{ canary: '100%', for: '1h' }], gates: {} };
const route = (name: string) => ({ name, match: { path: `/${name}` }, upstream: 'origin', policies: [] });

describe('a rollout on four gateways', async () => {
  const fleet = await Fleet.start(server, upstream, []);
  const documentOf = (...names: string[]) =>
    JSON.stringify(fleet.document({ routes: names.map(route), document: { rollout } }));
  for (const name of ['a', 'b', 'c', 'd']) await fleet.add(name, JSON.parse(documentOf('one')));
  after(() => fleet.stop());
  const [a, b] = fleet.nodes as [FleetNode, FleetNode];
  let base = '';
  let candidate = '';

  const current = (node: FleetNode): Promise<Answer> => node.see('/api/rollouts/current');
  const decidedBy = async (nodes: readonly FleetNode[], revision: string, withinMs = SOON_MS) => {
    for (const node of nodes)
      await eventually(async () => (await node.get('/one')).revision === revision, withinMs).catch(
        async () => {
          assert.fail(
            `${node.name} serves ${(await node.get('/one')).revision}: ${node.gateway.output.slice(-3000)}`,
          );
        },
      );
  };
  const publish = async (node: FleetNode, ...names: string[]): Promise<void> => {
    const answer = await node.gateway.admin('POST', '/api/rollouts?reason=test', documentOf(...names));
    const started: Answer = await answer.json();
    assert.equal(answer.status, 202, JSON.stringify(started));
    candidate = started.revision;
  };
  const driver = (nodes: readonly FleetNode[], after: number): FleetNode | undefined =>
    nodes.find(
      ({ gateway }) => (gateway.output.match(/"event":"rollout-driven-here"/g)?.length ?? 0) > after,
    );

  test('a document given to one goes its way on all', async () => {
    base = (await b.get('/one')).revision;
    await decidedBy(fleet.nodes, base);
    await publish(b, 'one', 'two');
    await decidedBy(fleet.nodes, candidate);
    await eventually(async () => (await current(a)).deadline !== null, SOON_MS);
    assert.equal((await a.see('/api/nodes')).active, base);
    // Each says so with its next beat.
    const steps = async (): Promise<string> => {
      const { nodes } = await a.see('/api/nodes');
      return nodes.map((node: Answer) => `${node.name} ${node.state} ${node.candidate?.step}`).join(', ');
    };
    const expected = ['a', 'b', 'c', 'd'].map((name) => `${name} ok canary 100 %`).join(', ');
    await eventually(async () => (await steps()) === expected, SOON_MS).catch(async () =>
      assert.equal(await steps(), expected),
    );
    const busy = await a.gateway.admin('POST', '/api/rollouts', documentOf('one', 'three'));
    assert.equal(busy.status, 409);
  });

  test('who drives it is killed: another goes on', async () => {
    await b.kill();
    const rest = fleet.nodes.filter((node) => node !== b);
    await eventually(async () => driver(rest, 0) !== undefined, LOST_WITHIN_MS);
    await eventually(async () => {
      const { deadline, history } = await current(a);
      return deadline !== null && history.some(({ act }: Answer) => act === 'restarted');
    }, LOST_WITHIN_MS);
    await decidedBy(rest, candidate);
  });

  test('who drives it stands still: another goes on, and nothing comes back with the first', async () => {
    const rest = fleet.nodes.filter((node) => node !== b);
    const first = driver(rest, 0);
    assert.ok(first !== undefined);
    first.signal('SIGSTOP');
    const others = rest.filter((node) => node !== first);
    await eventually(async () => driver(others, 0) !== undefined, LOST_WITHIN_MS);
    const other = others.find((node) => node !== driver(others, 0));
    assert.ok(other !== undefined);
    const { id } = await current(other);
    // By one that does not drive it.
    const answer = await other.gateway.admin('POST', `/api/rollouts/${id}/abort`, { reason: 'enough' });
    assert.equal(answer.status, 200, await answer.text());
    await decidedBy(others, base);
    first.signal('SIGCONT');
    await decidedBy([first], base);
    assert.equal((await current(other)).phase, 'aborted');
    await eventually(async () => (await other.states())[first.name] === 'ok', SOON_MS);
    assert.equal((await current(first)).phase, 'aborted');
  });

  test('one that is cut off goes back to what was live, and comes up to date when it hears again', async () => {
    const rest = fleet.nodes.filter((node) => node !== b);
    const [there, lost] = rest as [FleetNode, FleetNode];
    await publish(there, 'one', 'three');
    await decidedBy(rest, candidate);
    lost.wire.cut();
    await decidedBy([lost], base, LOST_WITHIN_MS);
    const { id } = await current(there);
    await eventually(async () => (await there.states())[lost.name] === 'lost', LOST_WITHIN_MS);
    const answer = await there.gateway.admin('POST', `/api/rollouts/${id}/promote`, { to: 'active' });
    assert.equal(answer.status, 200, await answer.text());
    await eventually(async () => (await current(there)).phase === 'active', SOON_MS);
    const heard = rest.filter((node) => node !== lost);
    await decidedBy(heard, candidate);
    assert.match(heard.map(({ gateway }) => gateway.output).join(''), /rollout-goes-on-without/);
    assert.equal((await lost.get('/one')).revision, base);
    assert.equal((await there.run('nodes', '--check')).code, 1);
    lost.wire.mend();
    await decidedBy([lost], candidate, LOST_WITHIN_MS);
    await eventually(async () => (await there.states())[lost.name] === 'ok', SOON_MS);
  });

  test('one that starts later serves what is live, whatever lies on its disk', async () => {
    const late = await fleet.add('e', JSON.parse(documentOf('one', 'old')));
    await decidedBy([late], candidate);
    const rest = fleet.nodes.filter((node) => node !== b);
    await decidedBy(rest, candidate);
    assert.equal((await late.states()).e, 'ok');
  });

  test('a revision that is gone back to is on all', async () => {
    const rest = fleet.nodes.filter((node) => node !== b);
    const answer = await rest[2]?.gateway.admin('POST', '/api/rollback', { reason: 'no' });
    assert.equal(answer?.status, 200, await answer?.text());
    await decidedBy(rest, base);
    const { entries } = await a.see('/api/audit?limit=200');
    assert.equal(entries.filter(({ action }: Answer) => action === 'revision.activate').length, 3);
    assert.equal((await a.see('/api/audit/verification')).intact, true);
  });
});
