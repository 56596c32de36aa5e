/** Usage of quotas with the real program: two nodes on one store, looked after at either. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { eventually, Program } from '../fixtures/process.ts';
import { RedisServer } from '../fixtures/redis-server.ts';

const LIMIT = 10;
const KEYS = { ANN_KEY: 'ann-key-0123456789abcdef', BEN_KEY: 'ben-key-0123456789abcdef' };
type Who = keyof typeof KEYS;

interface Page {
  readonly shared: unknown;
  readonly quotas: readonly {
    readonly id: string;
    readonly key: string;
    readonly used: number;
  }[];
}

const consumer = (name: string, key: string) => ({
  name,
  credentials: [{ 'api-key': { secret: `env:${key}` } }],
});

describe('quotas of two nodes with one store', () => {
  let origin: Server;
  let server: RedisServer;
  const gateways: Gateway[] = [];
  before(async () => {
    origin = createServer((_, response) => response.end('hello'));
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()));
  });
  after(async () => {
    origin.close();
    origin.closeAllConnections();
    await server.stop();
  });

  async function start(prefix: string): Promise<Gateway> {
    const route = (counting: 'exact' | 'leased') => ({
      name: counting,
      match: { path: `/${counting}` },
      upstream: 'origin',
      policies: [{ 'api-key': {} }, { quota: { limit: LIMIT, per: 'year', by: 'consumer', counting } }],
    });
    const document = proxyDocument({
      port: await freePort(),
      upstream: `http://127.0.0.1:${(origin.address() as AddressInfo).port}`,
      routes: [route('exact'), route('leased')],
      document: { consumers: [consumer('ann', 'ANN_KEY'), consumer('ben', 'BEN_KEY')] },
    });
    const gateway = await startGateway(document, {
      workers: 2,
      admin: true,
      env: KEYS,
      arguments: ['--state', `${server.url}?prefix=${prefix}`, '--state-timeout', '1s'],
    });
    gateways.push(gateway);
    return gateway;
  }

  const ask = async ({ port }: Gateway, route: string, who: Who): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${port}/${route}`, { headers: { 'x-api-key': KEYS[who] } });
    await answer.arrayBuffer();
    return answer.status;
  };
  const admitted = async (
    of: readonly Gateway[],
    count: number,
    route: string,
    who: Who,
  ): Promise<number> => {
    const asked = Array.from({ length: count }, (_, i) => ask(of[i % of.length], route, who));
    return (await Promise.all(asked)).filter((status) => status === 200).length;
  };
  const page = async (gateway: Gateway, query = ''): Promise<Page> => {
    const answer = await gateway.admin('GET', `/api/quotas${query}`);
    assert.equal(answer.status, 200);
    const body: unknown = await answer.json();
    assert.ok(typeof body === 'object' && body !== null && 'shared' in body && 'quotas' in body);
    assert.ok(Array.isArray(body.quotas));
    return { shared: body.shared, quotas: body.quotas };
  };
  const usage = async (gateway: Gateway, route: string) =>
    (await page(gateway, `?attachment=route:${route}/quota`)).quotas.map(({ key, used }) => [key, used]);
  const command = async (gateway: Gateway, ...args: string[]): Promise<Program> => {
    const at = ['--admin', `127.0.0.1:${gateway.adminPort}`, '--data', join(gateway.folder, 'data')];
    const program = new Program(['quotas', ...args, ...at]);
    await program.exit();
    return program;
  };

  it('are told, given back and added to at either, in force in both', async () => {
    const nodes = [await start('both'), await start('both')];
    const [one, other] = nodes;
    assert.equal(await admitted(nodes, 16, 'exact', 'ANN_KEY'), LIMIT);
    assert.equal(await ask(other, 'exact', 'BEN_KEY'), 200);
    assert.deepEqual(await usage(one, 'exact'), [['ann', LIMIT]]);
    assert.deepEqual(await usage(other, 'exact'), [
      ['ann', LIMIT],
      ['ben', 1],
    ]);
    const { shared, quotas } = await page(one);
    assert.equal(shared, true);
    const [{ id }] = quotas;
    const reset = await command(one, 'reset', id, '--reason', 'a mistake');
    assert.match(reset.stdout, /consumer ann has used 0 of 10/, reset.stderr);
    assert.equal(await admitted([other], LIMIT + 2, 'exact', 'ANN_KEY'), LIMIT);
    assert.equal((await other.admin('POST', `/api/quotas/${id}/grant`, { amount: 3 })).status, 200);
    assert.equal(await admitted([one], 5, 'exact', 'ANN_KEY'), 3);
    assert.deepEqual(await usage(other, 'exact'), [
      ['ann', LIMIT + 3],
      ['ben', 1],
    ]);
    assert.match(await (await one.admin('GET', '/api/audit')).text(), /quota\.reset/);
    assert.match(await (await other.admin('GET', '/api/audit')).text(), /quota\.grant/);
  });

  it('are told by a node that starts late of those that come to it, refused or not', async () => {
    const early = await start('late');
    assert.equal(await admitted([early], LIMIT, 'exact', 'ANN_KEY'), LIMIT);
    const late = await start('late');
    const none = await command(late, 'list');
    assert.match(none.stdout, /^Nothing is used of any quota\.\nCallers that this node has not seen/);
    assert.equal(await ask(late, 'exact', 'ANN_KEY'), 429);
    assert.deepEqual(await usage(late, 'exact'), [['ann', LIMIT]]);
  });

  it('that are leased are told to the last request, and given back within a second', async () => {
    const nodes = [await start('leased'), await start('leased')];
    let sum = 0;
    await eventually(async () => {
      sum += await admitted(nodes, 4, 'leased', 'ANN_KEY');
      return sum === LIMIT;
    });
    await eventually(async () => String(await usage(nodes[0], 'leased')) === `ann,${LIMIT}`);
    const [{ id }] = (await page(nodes[0])).quotas;
    assert.equal((await nodes[0].admin('POST', `/api/quotas/${id}/reset`, {})).status, 200);
    await eventually(async () => (await ask(nodes[1], 'leased', 'ANN_KEY')) === 200);
  });

  it('are not told, and not changed, while the store is stopped; traffic goes on as it did', async () => {
    const node = await start('stopped');
    assert.equal(await ask(node, 'exact', 'ANN_KEY'), 200);
    const [{ id }] = (await page(node)).quotas;
    await server.kill();
    try {
      await eventually(async () => (await node.admin('GET', '/api/quotas')).status === 503);
      for (const [method, path, body] of [
        ['GET', '/api/quotas', undefined],
        ['GET', `/api/quotas/${id}`, undefined],
        ['POST', `/api/quotas/${id}/reset`, {}],
        ['POST', `/api/quotas/${id}/grant`, { amount: 1 }],
      ] as const) {
        const answer = await node.admin(method, path, body);
        const problem: unknown = await answer.json();
        assert.equal(answer.status, 503, path);
        assert.match(JSON.stringify(problem), /"code":"store-unavailable"/);
      }
      const told = await command(node, 'list');
      assert.match(told.stderr, /shared store of counters/);
      assert.equal(await ask(node, 'exact', 'ANN_KEY'), 200);
    } finally {
      await server.run();
    }
    await eventually(async () => (await node.admin('GET', '/api/quotas')).status === 200);
    await eventually(async () => {
      await ask(node, 'exact', 'ANN_KEY');
      return (await usage(node, 'exact')).length === 1;
    });
  });
});
