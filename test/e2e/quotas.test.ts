/** Usage of quotas with the real program: exact over two workers, kept across restarts, given back at once. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../fixtures/gateway.ts';
import { eventually, Program, temporaryFolder } from '../fixtures/process.ts';

/** So many kept connections: that all of them are one worker's is next to impossible. */
const CONNECTIONS = 32;
/** What a crash may lose: what was used in the second before. */
const LOST_MS = 1000;

interface Usage {
  readonly id: string;
  readonly quota: string;
  readonly key: string;
  readonly used: number;
  readonly remaining: number;
}
interface Answered {
  readonly status: number;
  /** `r` of RateLimit, or -1. */
  readonly remaining: number;
  readonly code: string;
}

const KEYS = { ANN_KEY: 'ann-key-0123456789abcdef', BEN_KEY: 'ben-key-0123456789abcdef' };
const ANN = { 'x-api-key': KEYS.ANN_KEY };
const BEN = { 'x-api-key': KEYS.BEN_KEY };
const TENANT = 'a-tenant-that-may-be-a-secret';

const consumer = (name: string, key: string) => ({
  name,
  groups: ['staff'],
  credentials: [{ 'api-key': { secret: `env:${key}` } }],
});

const routeOf = (name: string, ...policies: readonly object[]) => ({
  name,
  match: { path: `/${name}` },
  upstream: 'origin',
  policies: [{ 'api-key': {} }, ...policies],
});

const documentOf = (port: number, upstream: string) => ({
  sallyport: 1,
  listeners: [{ name: 'public', address: `127.0.0.1:${port}` }],
  upstreams: { origin: { targets: [upstream] } },
  routes: [
    routeOf('kept', { quota: { limit: 100_000, per: 'year', by: 'consumer' } }),
    routeOf('killed', { quota: { limit: 100_000, per: 'year', by: 'consumer' } }),
    routeOf('reset', { quota: { limit: 3, per: 'year', by: 'consumer' } }),
    routeOf('tenant', { quota: { limit: 3, per: 'year', by: { header: 'x-tenant' } } }),
    routeOf('shared', {
      quota: { limit: 40, per: 'year', by: 'consumer', within: [{ limit: 50, by: 'route', name: 'all' }] },
    }),
  ],
  consumers: [consumer('ann', 'ANN_KEY'), consumer('ben', 'BEN_KEY')],
});

/** The program on one folder, started and stopped as often as a test wants. */
class Running {
  readonly #folder: string;
  readonly #port: number;
  readonly #adminPort: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  program: Program;

  constructor(folder: string, port: number, adminPort: number) {
    this.#folder = folder;
    this.#port = port;
    this.#adminPort = adminPort;
    this.program = this.#start();
  }

  get admin(): readonly string[] {
    return ['--admin', `127.0.0.1:${this.#adminPort}`, '--data', join(this.#folder, 'data')];
  }

  async serves(): Promise<void> {
    await this.program.says(/Sallyport serves/);
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    this.program.signal(signal);
    await this.program.exit();
    this.program = this.#start();
    await this.serves();
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.program.stop();
  }

  /** So many at a time. */
  burst(count: number, path: string, headers: object): Promise<Answered[]> {
    return Promise.all(Array.from({ length: count }, () => this.ask(path, headers)));
  }

  ask(path: string, headers: object): Promise<Answered> {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    const place = { host: '127.0.0.1', port: this.#port, path, agent: this.#agent };
    const asked = request({ ...place, headers: { ...headers } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.on('end', () => {
        const { statusCode: status = 0 } = response;
        const told = /;r=(\d+)/.exec(String(response.headers.ratelimit))?.[1];
        const code = status === 200 ? '' : String(JSON.parse(body).code);
        resolve({ status, code, remaining: Number(told ?? -1) });
      });
    });
    asked.on('error', reject).end();
    return promise;
  }

  async api(method: string, path: string, body?: object): Promise<unknown> {
    const token = readFileSync(join(this.#folder, 'data/admin-token'), 'utf8').trim();
    const answer = await fetch(`http://127.0.0.1:${this.#adminPort}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json: unknown = await answer.json();
    assert.equal(answer.status, 200, `${path}: ${JSON.stringify(json)}`);
    return json;
  }

  async usage(route: string): Promise<readonly Usage[]> {
    const page = await this.api('GET', `/api/quotas?attachment=route:${route}/quota`);
    assert.ok(typeof page === 'object' && page !== null && 'quotas' in page && Array.isArray(page.quotas));
    return page.quotas;
  }

  #start(): Program {
    const place = ['--config', join(this.#folder, 'gateway.json'), ...this.admin];
    return new Program(['run', ...place, '--records', 'none', '--workers', '2'], { env: KEYS });
  }
}

describe('quotas', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let upstream: Server;
  let gateway: Running;

  before(async () => {
    folder = await temporaryFolder();
    upstream = createServer((_asked, response) => response.end('ok'));
    await new Promise<void>((resolve) => void upstream.listen(0, '127.0.0.1', resolve));
    const { port: upstreamPort } = upstream.address() as AddressInfo;
    const [port, adminPort] = [await freePort(), await freePort()];
    const document = documentOf(port, `http://127.0.0.1:${upstreamPort}`);
    writeFileSync(join(folder.path, 'gateway.json'), JSON.stringify(document));
    gateway = new Running(folder.path, port, adminPort);
    await gateway.serves();
  });

  after(async () => {
    await gateway.stop();
    upstream.closeAllConnections();
    upstream.close();
    await folder.remove();
  });

  it('admit exactly so many over both workers, each within what all share', async () => {
    const answers = await Promise.all([gateway.burst(80, '/shared', ANN), gateway.burst(80, '/shared', BEN)]);
    const [ann, ben] = answers.map((all) => all.filter(({ status }) => status === 200).length);
    for (const { status, code } of answers.flat()) if (status !== 200) assert.equal(code, 'quota-exceeded');
    assert.ok(ann <= 40 && ben <= 40, `${ann} ${ben}`);
    assert.equal(ann + ben, 50);
    const used = (await gateway.usage('shared')).map(({ quota, key, used: n }) => [quota, key, n]);
    assert.deepEqual(used, [
      ['quota', 'ann', ann],
      ['quota', 'ben', ben],
      ['all', 'shared', 50],
    ]);
  });

  it('are kept exactly by a clean stop, with what was used a moment before', async () => {
    await gateway.burst(50, '/kept', ANN);
    await gateway.burst(7, '/kept', BEN);
    await gateway.restart('SIGTERM');
    assert.equal((await gateway.ask('/kept', ANN)).remaining, 100_000 - 51);
    assert.equal((await gateway.ask('/kept', BEN)).remaining, 100_000 - 8);
    await gateway.restart('SIGTERM');
    const used = (await gateway.usage('kept')).map(({ key, used: n }) => [key, n]);
    assert.deepEqual(used, [
      ['ann', 51],
      ['ben', 8],
    ]);
  });

  it('lose what was used in the last second when the process is killed, and no more', async () => {
    const answeredMs: number[] = [];
    const untilMs = performance.now() + 2 * LOST_MS;
    while (performance.now() < untilMs) {
      await gateway.burst(8, '/killed', ANN);
      for (let i = 0; i < 8; i++) answeredMs.push(performance.now());
    }
    const killedMs = performance.now();
    await gateway.restart('SIGKILL');
    const [{ used }] = await gateway.usage('killed');
    const safe = answeredMs.filter((ms) => ms <= killedMs - LOST_MS).length;
    assert.ok(safe > 0 && used >= safe, `${used} of ${safe} that were used a second before`);
    assert.ok(used <= answeredMs.length);
  });

  it('are given back at once in every worker, and added to', async () => {
    await gateway.burst(3, '/reset', ANN);
    const statuses = async () =>
      (await gateway.burst(CONNECTIONS, '/reset', ANN)).filter(({ status }) => status === 200).length;
    assert.equal(await statuses(), 0);
    const [{ id }] = await gateway.usage('reset');
    const reset = new Program(['quotas', 'reset', id, '--reason', 'a mistake', ...gateway.admin]);
    assert.equal(await reset.exit(), 0, reset.stderr);
    assert.match(reset.stdout, /consumer ann has used 0 of 3/);
    assert.equal(await statuses(), 3);
    await gateway.api('POST', `/api/quotas/${id}/grant`, { amount: 2 });
    assert.equal(await statuses(), 2);
    await gateway.restart('SIGTERM');
    assert.equal(await statuses(), 0, 'what was granted is used up after a restart too');
    assert.deepEqual(
      (await gateway.usage('reset')).map(({ used, remaining }) => [used, remaining]),
      [[5, 0]],
    );
    const audit = JSON.stringify(await gateway.api('GET', '/api/audit'));
    assert.match(audit, /quota\.reset.*a mistake|a mistake.*quota\.reset/s);
    assert.match(audit, /quota\.grant/);
  });

  it('keep no value of a header, whatever it is', async () => {
    await gateway.burst(3, '/tenant', { ...ANN, 'x-tenant': TENANT });
    const [{ key, used }] = await gateway.usage('tenant');
    assert.match(key, /^sha256:[\w-]{22}$/);
    assert.equal(used, 3);
    await gateway.restart('SIGTERM');
    assert.equal((await gateway.ask('/tenant', { ...ANN, 'x-tenant': TENANT })).code, 'quota-exceeded');
    assert.equal((await gateway.ask('/tenant', { ...ANN, 'x-tenant': 'another' })).status, 200);
    const data = join(folder.path, 'data');
    const files = readdirSync(data).filter((name) => name.startsWith('sallyport.db'));
    assert.ok(files.length > 0);
    for (const name of files) assert.ok(!readFileSync(join(data, name), 'latin1').includes(TENANT), name);
    const listed = new Program(['quotas', '--key', TENANT, ...gateway.admin]);
    assert.equal(await listed.exit(), 0, listed.stderr);
    assert.match(listed.stdout, /header x-tenant +sha256:/);
  });
});

it('quotas without a store count, and the log says once that they are not kept', async () => {
  const folder = await temporaryFolder();
  const upstream = createServer((_asked, response) => response.end('ok'));
  await new Promise<void>((resolve) => void upstream.listen(0, '127.0.0.1', resolve));
  const { port: upstreamPort } = upstream.address() as AddressInfo;
  const [port, adminPort] = [await freePort(), await freePort()];
  mkdirSync(join(folder.path, 'data/sallyport.db'), { recursive: true });
  const document = documentOf(port, `http://127.0.0.1:${upstreamPort}`);
  writeFileSync(join(folder.path, 'gateway.json'), JSON.stringify(document));
  const gateway = new Running(folder.path, port, adminPort);
  try {
    await gateway.serves();
    const answers = await gateway.burst(10, '/reset', ANN);
    assert.equal(answers.filter(({ status }) => status === 200).length, 3);
    await eventually(async () => gateway.program.stderr.includes('quotas-not-kept'));
    await gateway.burst(10, '/kept', ANN);
    await gateway.program.stop();
    assert.equal(gateway.program.stderr.split('quotas-not-kept').length, 2);
  } finally {
    await gateway.stop();
    upstream.closeAllConnections();
    upstream.close();
    await folder.remove();
  }
});
