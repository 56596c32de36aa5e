import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
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
import { type Document, freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { eventually } from '../fixtures/process.ts';
import { exchange, RawClient, statusOf, values } from '../fixtures/raw-client.ts';
import { RawUpstream } from '../fixtures/raw-upstream.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
const SEEN = 1000;

/** A request that reached the upstream and waits there for its answer. */
interface Arrived {
  readonly path: string;
  readonly name: string;
  readonly socket: Socket;
}

/** An upstream that answers when it is told to. */
class HoldingUpstream {
  readonly arrived: Arrived[] = [];
  readonly #upstream: RawUpstream;

  private constructor(upstream: RawUpstream) {
    this.#upstream = upstream;
    upstream.answer = (socket, request) => {
      const [, path] = request.startLine.split(' ');
      this.arrived.push({ path, name: values(request, 'x-name')[0] ?? '', socket });
    };
  }

  static async start(): Promise<HoldingUpstream> {
    return new HoldingUpstream(await RawUpstream.start());
  }

  get url(): string {
    return this.#upstream.url;
  }

  /** Resolves when so many wait for their answers. */
  async holds(count: number): Promise<void> {
    assert.ok(await this.#upstream.until(() => this.arrived.length >= count), `${this.arrived.length} came`);
    assert.equal(this.arrived.length, count);
  }

  /** Answers the one that came first. */
  answer(bytes = OK): void {
    this.arrived.shift()?.socket.write(bytes);
  }

  answerAll(): void {
    for (const { socket } of this.arrived.splice(0)) socket.write(OK);
  }

  async stop(): Promise<void> {
    await this.#upstream.stop();
  }
}

/** A limit, and before it what tells how many requests are there: DELETE is answered between the two. */
const limited = (
  name: string,
  limit: Readonly<Record<string, unknown>>,
  behind: readonly unknown[] = [],
) => ({
  name,
  match: { path: `/${name}` },
  upstream: 'origin',
  policies: [
    { concurrency: { limit: SEEN, by: 'route', name: 'seen' }, name: 'seen' },
    { acl: { allow: 'everyone', deny: { methods: ['DELETE'] } }, name: 'probe' },
    { concurrency: { by: 'route', headers: 'none', ...limit } },
    ...behind,
  ],
});

const QUEUED = { limit: 1, queue: 20, wait: '1m' };

/** Clients that are closed when the test has ended. */
class Clients {
  readonly #open: RawClient[] = [];
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends a request by a connection of its own. */
  async send(path: string, fields: readonly string[] = [], method = 'GET'): Promise<RawClient> {
    const client = await RawClient.connect(this.#port);
    this.#open.push(client);
    client.send([`${method} ${path} HTTP/1.1`, 'Host: a.test', ...fields, '', ''].join('\r\n'));
    return client;
  }

  /** How many requests of a route are there, waiting or under way. */
  async there(path: string): Promise<number> {
    const { response } = await exchange(this.#port, `DELETE ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
    assert.ok(response !== undefined);
    const [told] = values(response, 'ratelimit');
    return SEEN - Number(/^"seen";r=([0-9]+)$/.exec(told)?.[1]) - 1;
  }

  /** Resolves when there are so many. */
  async areThere(path: string, count: number): Promise<void> {
    await eventually(async () => (await this.there(path)) === count);
  }

  close(): void {
    for (const client of this.#open.splice(0)) client.close();
  }
}

async function statusFor(client: RawClient): Promise<number> {
  const response = await client.response(1, 10_000);
  assert.ok(response !== undefined, 'no answer');
  return statusOf(response);
}

describe('requests under way at the same time, on two workers', () => {
  let upstream: HoldingUpstream;
  let gateway: Gateway;
  let clients: Clients;
  let port: number;

  const document = (reloaded = 5): Document =>
    proxyDocument({
      port,
      upstream: upstream.url,
      routes: [
        limited('limit', { limit: 5 }),
        limited('queue', { ...QUEUED, priority: 'request.headers["x-priority"]' }),
        limited('patient', { ...QUEUED, deadlineHeader: 'x-timeout-ms' }),
        limited('later', { limit: 1 }, [{ acl: { allow: 'everyone', deny: { methods: ['PUT'] } } }]),
        limited('tunnel', { limit: 1 }),
        limited('reloaded', { limit: reloaded, queue: 20, wait: '1m' }),
      ],
    });

  before(async () => {
    upstream = await HoldingUpstream.start();
    port = await freePort();
    gateway = await startGateway(document(), { workers: 2, admin: true });
    clients = new Clients(port);
  });
  afterEach(async () => {
    clients.close();
    upstream.answerAll();
    for (const path of ['/limit', '/queue', '/patient', '/later', '/tunnel', '/reloaded']) {
      await clients.areThere(path, 0);
    }
    upstream.arrived.length = 0;
  });
  after(async () => {
    await gateway.stop();
    await upstream.stop();
  });

  it('are never more than the limit, whoever takes them, and as many again when they have ended', async () => {
    for (let round = 0; round < 3; round++) {
      const sent = await Promise.all(Array.from({ length: 30 }, () => clients.send('/limit')));
      await upstream.holds(5);
      await eventually(async () => sent.filter((client) => client.responses.length > 0).length === 25);
      const refused = sent.flatMap((client) => client.responses);
      assert.deepEqual(new Set(refused.map(statusOf)), new Set([429]));
      for (const answer of refused) {
        assert.ok(Number(values(answer, 'retry-after')[0]) >= 1);
        assert.match(answer.body.toString(), /concurrency-limited/);
      }
      await clients.areThere('/limit', 5);
      upstream.answerAll();
      await eventually(async () => sent.every((client) => client.responses.length > 0));
      assert.equal(sent.filter((client) => statusOf(client.responses[0]) === 200).length, 5);
    }
  });

  it('wait, and go on by how much they matter, and of equals as they came', async () => {
    await clients.send('/queue', ['x-name: first']);
    await upstream.holds(1);
    const waiting: readonly (readonly [string, string])[] = [
      ['low', 'low'],
      ['normal 1', 'normal'],
      ['normal 2', 'normal'],
      ['critical', 'critical'],
      ['high 1', 'high'],
      ['high 2', 'high'],
      ['normal 3', 'whatever'],
    ];
    for (const [i, [name, priority]] of waiting.entries()) {
      await clients.send('/queue', [`x-name: ${name}`, `x-priority: ${priority}`]);
      await clients.areThere('/queue', i + 2);
    }
    const served: string[] = [];
    for (let i = 0; i <= waiting.length; i++) {
      await upstream.holds(1);
      served.push(upstream.arrived[0].name);
      upstream.answer();
    }
    assert.deepEqual(served, [
      'first',
      'critical',
      'high 1',
      'high 2',
      'normal 1',
      'normal 2',
      'normal 3',
      'low',
    ]);
  });

  it('leave the queue when their client goes away', async () => {
    await clients.send('/queue', ['x-name: first']);
    await upstream.holds(1);
    const impatient = await clients.send('/queue', ['x-name: impatient', 'x-priority: critical']);
    await clients.areThere('/queue', 2);
    const patient = await clients.send('/queue', ['x-name: patient']);
    await clients.areThere('/queue', 3);
    impatient.reset();
    await clients.areThere('/queue', 2);
    upstream.answer();
    await upstream.holds(1);
    assert.equal(upstream.arrived[0].name, 'patient');
    upstream.answer();
    assert.equal(await statusFor(patient), 200);
  });

  it('are not forwarded when their client would not be there any more', async () => {
    await clients.send('/patient');
    await upstream.holds(1);
    const late = await clients.send('/patient', ['x-timeout-ms: 30']);
    assert.equal(await statusFor(late), 429);
    await clients.areThere('/patient', 1);
    upstream.answer();
    await clients.areThere('/patient', 0);
    assert.equal(upstream.arrived.length, 0);
  });

  it('give their place back when their client goes away, and when the upstream breaks off', async () => {
    const gone = await clients.send('/queue');
    await upstream.holds(1);
    // Not to be sent again: a POST may have been done.
    const next = await clients.send('/queue', ['x-name: next', 'Content-Length: 0'], 'POST');
    await clients.areThere('/queue', 2);
    gone.reset();
    await upstream.holds(2);
    assert.equal(upstream.arrived[1].name, 'next');
    const last = await clients.send('/queue', ['x-name: last']);
    await clients.areThere('/queue', 2);
    upstream.arrived[1].socket.resetAndDestroy();
    assert.equal(await statusFor(next), 502);
    await upstream.holds(3);
    upstream.arrived[2].socket.write(OK);
    assert.equal(await statusFor(last), 200);
  });

  it('give their place back when a policy behind refuses them', async () => {
    for (let i = 0; i < 4; i++) {
      const client = await clients.send('/later', ['Content-Length: 0'], 'PUT');
      assert.equal(await statusFor(client), 403);
    }
  });

  it('are under way as long as their tunnel is open', async () => {
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket'];
    const client = await clients.send('/tunnel', upgrade);
    await upstream.holds(1);
    const [{ socket }] = upstream.arrived;
    upstream.answer(SWITCH);
    assert.equal(await statusFor(client), 101);
    assert.equal(await statusFor(await clients.send('/tunnel')), 429);
    socket.destroy();
    assert.ok(await client.closedWithin(5000));
    await clients.areThere('/tunnel', 0);
    const next = await clients.send('/tunnel');
    await upstream.holds(1);
    upstream.answer();
    assert.equal(await statusFor(next), 200);
  });

  it('are counted on through a reload: by a lower limit until enough have ended, by a higher one at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => clients.send('/reloaded')));
    await upstream.holds(5);
    assert.equal((await gateway.admin('POST', '/api/revisions', document(2))).status, 201);
    const waiting = await clients.send('/reloaded', ['x-name: waits']);
    await clients.areThere('/reloaded', 6);
    for (let left = 4; left >= 2; left--) {
      upstream.answer();
      await clients.areThere('/reloaded', left + 1);
      assert.equal(upstream.arrived.length, left);
    }
    upstream.answer();
    await upstream.holds(2);
    assert.equal(upstream.arrived[1].name, 'waits');
    await clients.send('/reloaded');
    await clients.areThere('/reloaded', 3);
    assert.equal((await gateway.admin('POST', '/api/revisions', document(4))).status, 201);
    // The first that asks by the new limit lets in who waits by the old one.
    await clients.send('/reloaded');
    await upstream.holds(4);
    upstream.answerAll();
    assert.equal(await statusFor(waiting), 200);
  });
});

/** A listener with one limit of four, of whom many may wait. */
async function bundleOf(port: number, url: string): Promise<OfferedBundle> {
  const routes = [limited('queue', { ...QUEUED, limit: 4 })];
  const text = JSON.stringify(proxyDocument({ port, upstream: url, routes }));
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

describe('what a worker held that is killed', () => {
  let upstream: HoldingUpstream;
  let pool: WorkerPool<OfferedBundle>;
  let clients: Clients;

  before(async () => {
    upstream = await HoldingUpstream.start();
    const port = await freePort();
    clients = new Clients(port);
    const counters = createSharedCounters({ random: createSystemRandom(), threads: 2 });
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
        const credentials = new CredentialTable().buffers;
        const setup = { counters: counters.memory, store: undefined, credentials, records: 'none' };
        const workerData: WorkerSetup = { threadId, ...setup };
        const thread = new Worker(new URL('../../src/worker.ts', import.meta.url), { workerData });
        const { threadId: owner } = thread;
        thread.on('exit', () => counters.release(owner));
        return thread;
      },
      schedule: (work, delayMs) => void setTimeout(work, delayMs),
    });
    await pool.start(2);
    await activation.publish(await bundleOf(port, upstream.url));
  });
  after(async () => {
    clients.close();
    await pool.stop(0);
    await upstream.stop();
  });

  it('goes to those that wait at the other, and what waited there waits no more', async () => {
    const sent: RawClient[] = [];
    // Each connection goes to one of the two by chance: enough of them for both to hold and to wait.
    for (let i = 0; i < 20; i++) {
      sent.push(await clients.send('/queue', [`x-name: ${i}`]));
      await clients.areThere('/queue', i + 1);
    }
    await upstream.holds(4);
    assert.ok(pool.kill(0));
    await eventually(async () => pool.status()[0].state !== 'serving');
    await eventually(async () => pool.status()[0].state === 'serving');
    const left = sent.filter((client) => client.state === 'open');
    assert.ok(left.length > 0 && left.length < 20, `${left.length} of 20 are left`);
    // All that are left are served, four at a time, in the order in which they came.
    const served = new Set<RawClient>();
    while (served.size < left.length) {
      const under = Math.min(4, left.length - served.size);
      await clients.areThere('/queue', left.length - served.size);
      await eventually(async () => openOf(upstream, sent).length === under);
      const [next] = openOf(upstream, sent);
      assert.equal(sent[Number(next.name)], left[served.size], 'in the order in which they came');
      upstream.arrived.splice(upstream.arrived.indexOf(next), 1);
      next.socket.write(OK);
      assert.equal(await statusFor(sent[Number(next.name)]), 200);
      served.add(sent[Number(next.name)]);
    }
    await clients.areThere('/queue', 0);
  });
});

/** Those that wait for an answer and whose client is still there. */
const openOf = ({ arrived }: HoldingUpstream, sent: readonly RawClient[]): readonly Arrived[] =>
  arrived.filter(({ name }) => sent[Number(name)].state === 'open');
