import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { eventually } from '../fixtures/process.ts';

const LANES = 24;

/** One request: its status or the error's code, and whether its connection had been used before. */
function ask(agent: Agent, port: number): Promise<{ readonly outcome: string; readonly isKept: boolean }> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, agent }, (answer) => {
      answer.resume();
      answer.on('error', (error) => resolve({ outcome: error.message, isKept: asked.reusedSocket }));
      answer.on('end', () => resolve({ outcome: String(answer.statusCode), isKept: asked.reusedSocket }));
    });
    asked.on('error', (error) => resolve({ outcome: error.message, isKept: asked.reusedSocket }));
    asked.end();
  });
}

describe('workers that are replaced under load', () => {
  const upstream = createServer((_request, answer) => answer.end('ok'));
  let gateway: Gateway;
  before(async () => {
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const address = upstream.address();
    assert.ok(address !== null && typeof address === 'object');
    const url = `http://127.0.0.1:${address.port}`;
    const document = proxyDocument({ port: await freePort(), upstream: url });
    gateway = await startGateway(document, { workers: 2, admin: true });
  });
  after(async () => {
    await gateway.stop();
    upstream.close();
    upstream.closeAllConnections();
  });

  it('lose no request on a kept connection, busy or idle', async () => {
    const lost: string[] = [];
    let asked = 0;
    let isReplacing = true;
    const lane = async (index: number): Promise<void> => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let n = 0; isReplacing; n++) {
        const { outcome, isKept } = await ask(agent, gateway.port);
        // A new connection may wait in the queue of a socket that closes just then: kept ones are what is promised.
        if (isKept && outcome !== '200') lost.push(outcome);
        asked++;
        if (index % 2 === 1) await delay((n * 7919) % 40);
      }
      agent.destroy();
    };
    const lanes = Array.from({ length: LANES }, (_, i) => lane(i));
    const replaced = () => gateway.output.split('"event":"worker-replaced"').length - 1;
    for (const id of [0, 1]) {
      assert.equal((await gateway.admin('POST', `/api/workers/${id}/restart`)).status, 202);
      await eventually(async () => replaced() === id + 1);
    }
    // What was idle is let go within a second.
    await delay(1500);
    isReplacing = false;
    await Promise.all(lanes);
    assert.ok(asked > 10 * LANES, `${asked} requests`);
    assert.deepEqual(lost, []);
  });
});
