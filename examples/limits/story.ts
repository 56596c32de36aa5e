/** How much and how often, as a user meets it: on one node, then on two that count together, then without their store. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../test/fixtures/gateway.ts';
import { eventually, PROGRAM, Program, temporaryFolder } from '../../test/fixtures/process.ts';
import { RedisServer } from '../../test/fixtures/redis-server.ts';
import { Callers, Desk, PASSWORD, type Told } from './cast.ts';

const folder = await temporaryFolder();
const secrets = {
  EXAMPLE_ANN_KEY: 'ann-key-0123456789abcdef',
  EXAMPLE_BEN_KEY: 'ben-key-0123456789abcdef',
  EXAMPLE_BATCH_KEY: 'batch-key-0123456789abcdef',
};
const key = (name: keyof typeof secrets) => ({ headers: { 'x-api-key': secrets[name] } });
const [ANN, BEN, BATCH] = [key('EXAMPLE_ANN_KEY'), key('EXAMPLE_BEN_KEY'), key('EXAMPLE_BATCH_KEY')];
const document = await readFile(path.join(import.meta.dirname, 'gateway.yaml'), 'utf8');
const desk = new Desk();
const deskPort = await freePort();
await desk.open(deskPort);

interface Ports {
  readonly gateway: number;
  readonly admin: number;
  readonly demo: number;
}

/** A gateway on ports and a data folder of its own. */
class Node {
  readonly callers: Callers;
  readonly #name: string;
  readonly #ports: Ports;
  readonly #options: readonly string[];
  #program: Program;

  private constructor(name: string, ports: Ports, options: readonly string[]) {
    this.#name = name;
    this.#ports = ports;
    this.#options = options;
    this.callers = new Callers(`http://127.0.0.1:${ports.gateway}`);
    this.#program = this.#run();
  }

  static async start(name: string, ...options: string[]): Promise<Node> {
    const ports = { gateway: await freePort(), admin: await freePort(), demo: await freePort() };
    const moved = document
      .replace(':8080', `:${ports.gateway}`)
      .replace(':8092', `:${deskPort}`)
      .replace(':8099', `:${ports.demo}`);
    await writeFile(path.join(folder.path, `${name}.yaml`), moved);
    const node = new Node(name, ports, options);
    await node.ready();
    return node;
  }

  async ready(): Promise<void> {
    await this.#program.says(/serves/i);
    await eventually(async () => (await this.callers.login('192.0.2.250', PASSWORD)) === 200);
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#program = this.#run();
    await this.ready();
  }

  async stop(): Promise<void> {
    this.#program.signal('SIGTERM');
    assert.equal(await this.#program.exit(), 0, this.log);
  }

  /** For whatever was left running. */
  async end(): Promise<void> {
    await this.#program.stop();
  }

  get log(): string {
    return `${this.#program.stdout}\n${this.#program.stderr}`;
  }

  /** The command line, as the operator beside the gateway uses it. */
  async operator(...args: string[]): Promise<string> {
    const all = [...args, '--admin', `127.0.0.1:${this.#ports.admin}`, '--data', this.#name];
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...all], { cwd: folder.path });
    return stdout;
  }

  async records(): Promise<string> {
    return await readFile(path.join(folder.path, `${this.#name}.jsonl`), 'utf8');
  }

  #run(): Program {
    const { admin, demo } = this.#ports;
    const own = ['--config', `${this.#name}.yaml`, '--data', this.#name, '--records', `${this.#name}.jsonl`];
    const places = ['--demo', `127.0.0.1:${demo}`, '--admin', `127.0.0.1:${admin}`];
    const args = ['run', ...own, ...places, '--workers', '2', ...this.#options];
    return new Program(args, { cwd: folder.path, env: secrets });
  }
}

/** A step of the story; the first that does not hold ends it. */
async function step(what: string, holds: () => Promise<void>): Promise<void> {
  await holds();
  console.log(`ok  ${what}`);
}

async function usageOf(node: Node, ...which: string[]) {
  const page: { quotas: readonly { id: string; used: number }[] } = JSON.parse(
    await node.operator('quotas', '--json', ...which),
  );
  return page.quotas;
}

const statuses = (told: readonly Told[]): number[] => told.map(({ status }) => status);
const times = <T>(n: number, ask: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: n }, (_, i) => ask(i)));

function refused({ status, code }: Told, expected: readonly [status: number, code: string]): void {
  assert.deepEqual([status, code], expected);
}

async function oneNode(node: Node): Promise<void> {
  const { callers } = node;

  await step('at once only so many get through, and who waits as long as told gets through', async () => {
    const told = await times(8, () => callers.ask('192.0.2.1', '/search'));
    const late = told.find(({ status }) => status === 429);
    assert.ok(late !== undefined, String(statuses(told)));
    refused(late, [429, 'rate-limited']);
    assert.match(late.headers.get('ratelimit-policy') ?? '', /"at-once";q=5;w=5.*"hourly";q=100;w=3600/);
    assert.equal((await callers.ask('192.0.2.2', '/search')).status, 200);
    await pause(Number(late.headers.get('retry-after')) * 1000);
    assert.equal((await callers.ask('192.0.2.1', '/search')).status, 200);
  });

  await step('a subscriber with a whole /64 of addresses is one caller', async () => {
    const told = await times(8, (i) => callers.ask(`2001:db8::${i + 1}`, '/search'));
    assert.ok(statuses(told).includes(429), String(statuses(told)));
    assert.equal((await callers.ask('2001:db8:0:1::1', '/search')).status, 200);
  });

  await step('an order of many costs as many, and nonsense costs the most', async () => {
    assert.equal((await callers.order('192.0.2.3', '20')).status, 200);
    assert.equal((await callers.order('192.0.2.3', 'plenty')).status, 200);
    refused(await callers.order('192.0.2.3', '20'), [429, 'rate-limited']);
    assert.equal((await callers.order('192.0.2.3', '5')).status, 200);
  });

  await step(
    'only what fails is counted: three wrong passwords, and the right one comes too late',
    async () => {
      for (let i = 0; i < 6; i++) assert.equal(await callers.login('192.0.2.4', PASSWORD), 200);
      for (let i = 0; i < 3; i++) assert.equal(await callers.login('192.0.2.5', 'a guess'), 401);
      assert.equal(await callers.login('192.0.2.5', PASSWORD), 429);
    },
  );

  await step('two reports at a time; who matters more overtakes, and the queue has an end', async () => {
    const asked: Promise<Told>[] = [];
    const ask = (what: string, who: RequestInit) =>
      asked.push(callers.ask('192.0.2.6', `/reports/${what}`, who));
    ask('first', BATCH);
    ask('second', BATCH);
    await eventually(async () => desk.underWay.length === 2);
    ask('later', BATCH);
    await pause(200);
    ask('urgent', ANN);
    ask('also-urgent', BEN);
    await pause(200);
    refused(await callers.ask('192.0.2.6', '/reports/too-many', BATCH), [429, 'concurrency-limited']);
    desk.finishOne();
    await eventually(async () => desk.underWay.length === 2);
    assert.match(desk.underWay[1], /urgent/);
    for (let left = 4; left > 0; left--) {
      await eventually(async () => desk.underWay.length > 0);
      desk.finishOne();
    }
    assert.deepEqual(statuses(await Promise.all(asked)), [200, 200, 200, 200, 200]);
  });

  await step('a plan lasts for so many requests, within what the group has', async () => {
    assert.deepEqual(
      statuses(await times(5, () => callers.ask('192.0.2.7', '/plans', ANN))),
      Array(5).fill(200),
    );
    const over = await callers.ask('192.0.2.7', '/plans', ANN);
    refused(over, [429, 'quota-exceeded']);
    assert.match(over.headers.get('ratelimit') ?? '', /"plan";r=0;t=\d+/);
    const told = statuses(await times(4, () => callers.ask('192.0.2.7', '/plans', BEN)));
    assert.deepEqual(told.toSorted(), [200, 200, 200, 429]);
  });

  await step('what was used is still used after a restart, and the operator can give it back', async () => {
    await node.restart();
    refused(await callers.ask('192.0.2.7', '/plans', ANN), [429, 'quota-exceeded']);
    for (const { id } of await usageOf(node)) await node.operator('quotas', 'reset', id);
    assert.equal((await callers.ask('192.0.2.7', '/plans', ANN)).status, 200);
  });

  await step('who misbehaves is given less, and the record says why', async () => {
    const guess = { headers: { 'x-password': 'a guess' } };
    const bad: number[] = [];
    for (let i = 0; i < 60; i++) bad.push((await callers.ask('192.0.2.8', '/shop/tea', guess)).status);
    assert.ok(bad.filter((status) => status === 429).length > 20, String(bad));
    const good = await times(40, () => callers.ask('192.0.2.9', '/shop/tea'));
    assert.deepEqual(statuses(good), Array(40).fill(200));
    await eventually(async () => /limit 100 → \d+: /.test(await node.records()));
  });

  await step('who goes on is banned, and the operator can lift that', async () => {
    const address = '192.0.2.10';
    for (let i = 0; i < 5; i++) assert.equal((await callers.ask(address, `/wp-admin/${i}`)).status, 404);
    // What is under way when a ban comes is cut, and so may have no answer at all.
    const isBanned = async () => (await callers.ask(address, '/search')).code === 'address-banned';
    await eventually(() => isBanned().catch(() => false));
    await eventually(async () => (await node.operator('bans')).includes(address));
    await node.operator('unban', address);
    await eventually(async () => (await callers.ask(address, '/search')).status === 200);
  });
}

async function twoNodes(nodes: readonly Node[], store: RedisServer): Promise<void> {
  const anyOf = (i: number) => nodes[i % nodes.length].callers;

  await step('two nodes that share a store are one limit', async () => {
    const told = statuses(await times(12, (i) => anyOf(i).ask('192.0.2.1', '/search')));
    const admitted = told.filter((status) => status === 200).length;
    assert.ok(admitted >= 5 && admitted <= 7, String(told));
    for (let i = 0; i < 3; i++) assert.equal(await anyOf(i).login('192.0.2.5', 'a guess'), 401);
    assert.deepEqual(await times(2, (i) => anyOf(i).login('192.0.2.5', PASSWORD)), [429, 429]);
  });

  await step('a plan is used up on whichever node, and given back in both', async () => {
    const told = await times(8, (i) => anyOf(i).ask('192.0.2.7', '/plans', ANN));
    assert.equal(statuses(told).filter((status) => status === 200).length, 5);
    const [{ id, used }] = await usageOf(nodes[0], '--key', 'ann');
    assert.equal(used, 5, 'what both have admitted');
    await nodes[1].operator('quotas', 'reset', id);
    assert.equal((await anyOf(0).ask('192.0.2.7', '/plans', ANN)).status, 200);
  });

  await step('without the store each route does what its document says, at once', async () => {
    await store.kill();
    const plan = () => times(4, (i) => anyOf(i).ask('192.0.2.7', '/plans', BEN));
    await eventually(async () => (await plan()).every(({ code }) => code === 'limits-unavailable'));
    for (let i = 0; i < 6; i++) assert.equal((await anyOf(i).order('192.0.2.11', '25')).status, 200);
    const told = await times(12, (i) => anyOf(i).ask('192.0.2.12', '/search'));
    assert.ok(statuses(told).includes(200) && statuses(told).includes(429), String(statuses(told)));
    for (const node of nodes) assert.match(node.log, /state-lost/);
  });

  await step('and goes on counting when it is back', async () => {
    await store.run();
    await eventually(async () => (await anyOf(0).ask('192.0.2.7', '/plans', BEN)).status === 200);
    for (const node of nodes) await eventually(async () => /state-recovered/.test(node.log));
  });
}

const running: Node[] = [];
const start = async (...args: Parameters<typeof Node.start>): Promise<Node> => {
  const node = await Node.start(...args);
  running.push(node);
  return node;
};
const store = await RedisServer.start();
try {
  const alone = await start('alone');
  await oneNode(alone);
  await alone.stop();
  // More patient than it would be: what runs an example may have other things to do.
  const shared = ['--state', store.url, '--state-timeout', '500ms'];
  const together = await Promise.all(['north', 'south'].map((name) => start(name, ...shared)));
  await twoNodes(together, store);

  await step('its tests pass on the command line', async () => {
    const test = new Program(['test', 'alone.yaml'], { cwd: folder.path, env: secrets });
    assert.equal(await test.exit(), 0, test.stdout);
  });

  await step('they end in good order', async () => {
    for (const node of together) await node.stop();
  });
} catch (error) {
  for (const { log } of running) console.error(log.slice(-5000));
  throw error;
} finally {
  for (const node of running) await node.end();
  await store.stop();
  desk.close();
  await folder.remove();
}
