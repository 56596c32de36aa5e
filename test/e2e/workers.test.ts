import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  createBundle,
  filesOnDisk,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  secretsOf,
} from '../../src/config/index.ts';
import { NO_LISTS, type OfferedBundle, WorkerPool, type WorkerSetup } from '../../src/control/index.ts';
import { createSystemRandom, systemClock } from '../../src/lib/system.ts';
import { Activation } from '../../src/lifecycle/index.ts';
import { createMeter, MetricTotals } from '../../src/observability/index.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { CredentialTable, createSharedCounters } from '../../src/state/index.ts';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { eventually, Program, temporaryFolder } from '../fixtures/process.ts';

/** Answers when it is told to; counts what came. */
class Upstream {
  readonly server: Server;
  readonly waiting: ServerResponse[] = [];
  isHolding = false;
  url = '';

  constructor() {
    this.server = createServer((_request, response) => {
      if (this.isHolding) this.waiting.push(response);
      else response.end('ok');
    });
  }

  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this.url;
  }

  release(): void {
    this.isHolding = false;
    for (const response of this.waiting.splice(0)) response.end('late');
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

const get = (port: number) => fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });

/** Whether nobody listens any more. No request is made: one that slipped in would wait for its answer. */
function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (refused: boolean) => {
      socket.destroy();
      resolve(refused);
    };
    socket.once('connect', () => end(false));
    socket.once('error', () => end(true));
  });
}

async function bundleOf(document: unknown): Promise<OfferedBundle> {
  const text = JSON.stringify(document);
  const files = filesOnDisk('.');
  const deps = {
    catalog: new PolicyCatalog(POLICIES),
    cache: new PolicyCache(),
    files,
    secrets: secretsOf({}, files),
  };
  const { bundle, snapshot } = await createBundle(parseDocument(text, 'test'), deps);
  await snapshot.dispose();
  return { ...bundle, text, lists: NO_LISTS, rollout: undefined, documentHash: '' };
}

describe('real worker threads', () => {
  const upstream = new Upstream();
  let pool: WorkerPool<OfferedBundle>;
  let port: number;
  before(async () => {
    port = await freePort();
    const document = proxyDocument({ port, upstream: await upstream.start() });
    const counters = createSharedCounters({ random: createSystemRandom(), maxKeys: 1024 });
    const activation = new Activation<OfferedBundle>();
    const meter = createMeter();
    pool = new WorkerPool<OfferedBundle>({
      clock: systemClock,
      log: { info() {}, warn() {}, error() {} },
      activation,
      totals: new MetricTotals(),
      serving: meter.gauge('sallyport_workers'),
      restarts: meter.counter('sallyport_worker_restarts_total'),
      spawn: (threadId) => {
        const shared = {
          counters: counters.memory,
          store: undefined,
          credentials: new CredentialTable().buffers,
        };
        const workerData: WorkerSetup = { threadId, ...shared, records: 'none' };
        return new Worker(new URL('../../src/worker.ts', import.meta.url), { workerData });
      },
      schedule: (work, delayMs) => void setTimeout(work, delayMs),
    });
    await pool.start(2);
    await activation.publish(await bundleOf(document));
  });
  after(async () => {
    await pool.stop(0);
    upstream.stop();
  });

  it('one that is killed is back within a second, and the other serves on', async () => {
    assert.equal((await get(port)).status, 200);
    const killedAtMs = performance.now();
    assert.ok(pool.kill(0));
    // What was in the killed worker's hands is lost; whatever comes after its end is answered.
    await eventually(async () => pool.status()[0].state !== 'serving');
    let answered = 0;
    await eventually(async () => {
      assert.equal((await get(port)).status, 200);
      answered++;
      return pool.status()[0].state === 'serving';
    });
    const backMs = performance.now() - killedAtMs;
    assert.ok(answered > 0);
    assert.equal(pool.status()[0].restarts, 1);
    assert.ok(backMs < 1000, `back after ${backMs.toFixed(0)} ms`);
  });
});

describe('workers of the program', () => {
  const upstream = new Upstream();
  let gateway: Gateway;
  before(async () => {
    const document = proxyDocument({ port: await freePort(), upstream: await upstream.start() });
    gateway = await startGateway(document, { workers: 2, admin: true });
  });
  after(async () => {
    await gateway.stop();
    upstream.stop();
  });

  async function workers(): Promise<{ id: number; state: string; restarts: number }[]> {
    return JSON.parse(await (await gateway.admin('GET', '/api/workers')).text()).workers;
  }

  async function requestsTotal(): Promise<number> {
    const text = await (await gateway.admin('GET', '/metrics')).text();
    const series = text.matchAll(/^sallyport_http_requests_total\{[^}]*\} (\d+)$/gm);
    return [...series].reduce((sum, [, value]) => sum + Number(value), 0);
  }

  const count = (event: string) => gateway.output.split(`"event":"${event}"`).length - 1;

  it('are replaced one after the other without a lost request or a lost count', async () => {
    let asked = 0;
    let isReplacing = true;
    const load = (async () => {
      while (isReplacing) {
        assert.equal((await get(gateway.port)).status, 200);
        asked++;
      }
    })();
    for (const { id } of await workers()) {
      const answer = await gateway.admin('POST', `/api/workers/${id}/restart`);
      assert.equal(answer.status, 202);
      await eventually(async () => count('worker-replaced') === id + 1);
    }
    isReplacing = false;
    await load;
    assert.ok(asked > 0);
    assert.deepEqual(
      (await workers()).map((w) => [w.id, w.state]),
      [
        [0, 'serving'],
        [1, 'serving'],
      ],
    );
    await eventually(async () => (await requestsTotal()) === asked);
  });

  it('are replaced while the document is updated: both succeed, and all serve what is new', async () => {
    /** One connection each, since every connection may meet another worker. */
    const marks = async () => {
      const answers = await Promise.all(Array.from({ length: 16 }, () => get(gateway.port)));
      return [...new Set(answers.map((a) => a.headers.get('x-mark')))];
    };
    for (let round = 0; round < 6; round++) {
      const mark = `round ${round}`;
      const policies = [{ headers: { response: { set: { 'x-mark': mark } } } }];
      const document = proxyDocument({ port: gateway.port, upstream: upstream.url, policies });
      const [update, ...restarts] = await Promise.all([
        gateway.admin('POST', '/api/revisions', document),
        gateway.admin('POST', `/api/workers/${round % 2}/restart`),
        gateway.admin('POST', `/api/workers/${round % 2}/restart`),
      ]);
      assert.equal(update.status, 201, await update.text());
      assert.deepEqual(
        restarts.map((r) => r.status),
        [202, 202],
      );
      assert.deepEqual(await marks(), [mark]);
      await eventually(async () => count('worker-replaced') === count('worker-replacing'));
      assert.deepEqual(await marks(), [mark]);
    }
    assert.equal(count('worker-replacing'), 8);
    assert.doesNotMatch(gateway.output, /"event":"(worker-ended|worker-not-replaced)"/);
  });

  it('let requests under way end on SIGTERM, take no new ones, and exit with 0', async () => {
    upstream.isHolding = true;
    const underWay = get(gateway.port);
    await eventually(async () => upstream.waiting.length === 1);
    gateway.process.kill('SIGTERM');
    await eventually(() => isRefused(gateway.port));
    assert.equal(gateway.process.exitCode, null);
    const exited = once(gateway.process, 'exit');
    upstream.release();
    assert.equal(await (await underWay).text(), 'late');
    assert.deepEqual(await exited, [0, null]);
  });
});

describe('an end that lasts', () => {
  it('is cut short by a second signal', async () => {
    const upstream = new Upstream();
    const folder = await temporaryFolder();
    const port = await freePort();
    const document = proxyDocument({ port, upstream: await upstream.start() });
    await writeFile(path.join(folder.path, 'gateway.yaml'), JSON.stringify(document));
    const program = new Program(['run', '--drain', '60s', '--admin', 'off'], { cwd: folder.path });
    try {
      await program.says(/Sallyport serves/);
      upstream.isHolding = true;
      const underWay = get(port).catch(() => undefined);
      await eventually(async () => upstream.waiting.length === 1);
      program.signal('SIGTERM');
      await program.says(/"event":"ending"/);
      const insist = setInterval(() => program.signal('SIGTERM'), 50);
      assert.equal(await program.exit(), 143);
      clearInterval(insist);
      await underWay;
    } finally {
      await program.stop();
      upstream.stop();
      await folder.remove();
    }
  });
});
