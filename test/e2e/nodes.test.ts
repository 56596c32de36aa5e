/** Several gateways on one Postgres: killed, paused and cut off. */
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
const LOST_WITHIN_MS = 25_000;

const statesAre = (node: FleetNode, expected: Record<string, string>, withinMs = LOST_WITHIN_MS) =>
  eventually(async () => JSON.stringify(await node.states()) === JSON.stringify(expected), withinMs);

describe('four gateways on one Postgres', async () => {
  const fleet = await Fleet.start(server, upstream, ['a', 'b', 'c', 'd']);
  const [a, b, c, d] = fleet.nodes as [FleetNode, FleetNode, FleetNode, FleetNode];
  after(() => fleet.stop());

  test('each is heard of by all, and serves the same revision', async () => {
    for (const node of fleet.nodes) await statesAre(node, { a: 'ok', b: 'ok', c: 'ok', d: 'ok' });
    const { code, stdout } = await c.run('nodes', '--check');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /c \(asked\)/);
    const { self, active, nodes } = await a.see('/api/nodes');
    assert.equal(nodes.find(({ id }: Answer) => id === self)?.name, 'a');
    assert.deepEqual(new Set(nodes.map(({ revision }: Answer) => revision)), new Set([active]));
    assert.deepEqual(nodes[0].listeners, [{ name: 'public', host: 'node.test', port: a.gateway.port }]);
    const metrics = await (await a.gateway.admin('GET', '/metrics')).text();
    assert.match(metrics, /^sallyport_nodes\{state="ok"\} 4$/m);
  });

  test('one that is killed, one that stands still and one that is cut off are missed', async () => {
    await b.kill();
    c.signal('SIGSTOP');
    d.wire.cut();
    await statesAre(a, { a: 'ok', b: 'lost', c: 'lost', d: 'lost' });
    // It serves on, and says that it is alone.
    assert.equal((await d.get('/')).status, 200);
    assert.deepEqual(await d.states(), { d: 'cut-off', a: 'unknown', b: 'unknown', c: 'unknown' });
    assert.equal((await d.run('nodes', '--check')).code, 1);
    const { code, stdout } = await a.run('nodes', '--check');
    assert.equal(code, 1);
    assert.equal(stdout.match(/^! .* lost /gm)?.length, 3, stdout);
    const metrics = await (await a.gateway.admin('GET', '/metrics')).text();
    assert.match(metrics, /^sallyport_nodes\{state="lost"\} 3$/m);
    assert.equal(a.gateway.output.match(/"event":"node-lost"/g)?.length, 3);
  });

  test('those that come back are heard of again', async () => {
    c.signal('SIGCONT');
    d.wire.mend();
    await statesAre(a, { a: 'ok', b: 'lost', c: 'ok', d: 'ok' });
    await statesAre(d, { a: 'ok', b: 'lost', c: 'ok', d: 'ok' });
    assert.equal(a.gateway.output.match(/"event":"node-back"/g)?.length, 2);
  });

  test('one that ends on purpose is not missed', async () => {
    await c.stop();
    await statesAre(a, { a: 'ok', b: 'lost', d: 'ok' });
    assert.equal(a.gateway.output.match(/"event":"node-lost"/g)?.length, 3);
  });
});
