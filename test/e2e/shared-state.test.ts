/** Two gateways with one `--state`, as users run them (CHECKLIST 47, 48). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { eventually, Program, temporaryFolder } from '../fixtures/process.ts';
import { RedisServer } from '../fixtures/redis-server.ts';

const LIMIT = 20;
const TIMEOUT_MS = 100;
/** What an answer may take on a machine that has other things to do; a connection that hangs would take two seconds. */
const FAST_MS = TIMEOUT_MS + 1400;

/** What is added up of requests whose answer is a 404. */
const SUMMING = [
  { 'auto-ban': { after: 1_000_000, window: '1h', for: ['not-found'], ban: '1s', onStateLoss: 'open' } },
  { 'adaptive-limit': { limit: 1_000_000, window: '1h', by: 'address', onStateLoss: 'open' } },
];

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly tookMs: number;
}

async function get(port: number, path: string): Promise<Answer> {
  const startedMs = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  const body: unknown = response.status === 200 ? await response.text() : await response.json();
  const tookMs = performance.now() - startedMs;
  const type = body !== null && typeof body === 'object' && 'type' in body ? String(body.type) : undefined;
  return { status: response.status, code: type?.split(/[/:]/).at(-1), tookMs };
}

describe('gateways with one store', () => {
  let origin: Server;
  let server: RedisServer;
  const gateways: Gateway[] = [];
  before(async () => {
    origin = createServer(({ url }, response) => {
      response.statusCode = url === '/sums' ? 404 : 200;
      response.end(response.statusCode === 200 ? 'hello' : '{}');
    });
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

  /** A route for each way, limited to so many in an hour. */
  async function start(prefix: string, timeout = `${TIMEOUT_MS}ms`): Promise<Gateway> {
    const limit = (onStateLoss: string, counting: string) => ({
      'rate-limit': { limit: LIMIT, window: '1h', by: 'route', onStateLoss, counting },
    });
    const route = (name: string, onStateLoss: string, counting = 'exact') => ({
      name,
      match: { path: `/${name}` },
      upstream: 'origin',
      policies: [limit(onStateLoss, counting)],
    });
    const document = proxyDocument({
      port: await freePort(),
      upstream: `http://127.0.0.1:${(origin.address() as AddressInfo).port}`,
      routes: [
        route('local', 'local'),
        route('open', 'open'),
        route('closed', 'closed'),
        route('leased', 'local', 'leased'),
        { name: 'sums', match: { path: '/sums' }, upstream: 'origin', policies: SUMMING },
      ],
    });
    const gateway = await startGateway(document, {
      workers: 2,
      admin: true,
      arguments: ['--state', `${server.url}?prefix=${prefix}`, '--state-timeout', timeout],
    });
    gateways.push(gateway);
    return gateway;
  }
  /** Until when the store believes that each worker lives. */
  const lives = async (prefix: string): Promise<ReadonlyMap<string, number>> => {
    const said = await server.ask('ZRANGE', `${prefix}:{fleet}:workers`, 0, -1, 'WITHSCORES');
    const words = Array.isArray(said) ? said.map(String) : [];
    return new Map(words.flatMap((word, i) => (i % 2 === 0 ? [[word, Number(words[i + 1])]] : [])));
  };
  /** Each has heard of all others with its next beat. */
  const knowEachOther = async (prefix: string, workers: number): Promise<void> => {
    await eventually(async () => (await lives(prefix)).size === workers);
    const before = await lives(prefix);
    await eventually(async () =>
      [...(await lives(prefix))].every(([id, until]) => until > (before.get(id) ?? 0)),
    );
  };
  const statuses = (answers: readonly Answer[], status: number): number =>
    answers.filter((answer) => answer.status === status).length;
  /** What answers there were, for who has to find out why. */
  const seen = (answers: readonly Answer[]): string[] => [
    ...new Set(
      answers.map(({ status, code }) => [status, code].filter((part) => part !== undefined).join(' ')),
    ),
  ];
  const status = async (gateway: Gateway): Promise<unknown> =>
    (await gateway.admin('GET', '/api/status')).json();
  const isState = (gateway: Gateway, state: string) => async (): Promise<boolean> => {
    const said = await status(gateway);
    return said !== null && typeof said === 'object' && 'sharedState' in said && said.sharedState === state;
  };

  it('admit together what one may, and say where they count', async () => {
    const [one, other] = await Promise.all([start('together', '1s'), start('together', '1s')]);
    // A worker that has no connection yet would decide by itself.
    await knowEachOther('together', 4);
    const askBoth = async (path: string): Promise<number> => {
      const answers: Answer[] = [];
      for (let round = 0; round < LIMIT; round++) {
        answers.push(...(await Promise.all([get(one.port, path), get(other.port, path)])));
      }
      assert.deepEqual(
        seen(answers).filter((what) => !/^(200|429 rate-limited)$/.test(what)),
        [],
        path,
      );
      return statuses(answers, 200);
    };
    assert.equal(await askBoth('/closed'), LIMIT);
    // Some of it may lie in the share of a worker that is not asked, for as long as a lease.
    let leased = await askBoth('/leased');
    assert.ok(leased > 0 && leased <= LIMIT, `${leased}`);
    await eventually(async () => {
      leased += statuses([await get(one.port, '/leased')], 200);
      return leased >= LIMIT;
    });
    assert.equal(leased + (await askBoth('/leased')), LIMIT);
    assert.match(one.output, new RegExp(`counters {2}redis://127.0.0.1:${server.port}$`, 'm'));
    assert.ok(await isState(one, 'up')());
  });

  it('answer fast and as each route says while the store is dead, under load, and share again when it is back', async () => {
    const [one, other] = await Promise.all([start('loss'), start('loss')]);
    await knowEachOther('loss', 4);
    const answers = new Map<string, Answer[]>(
      ['/local', '/open', '/closed', '/sums'].map((path) => [path, []]),
    );
    let isOver = false;
    const load = [...answers].flatMap(([path, all]) =>
      [one, other].map(async ({ port }) => {
        while (!isOver) all.push(await get(port, path));
      }),
    );
    await eventually(async () => [...answers.values()].every((all) => all.length >= 10));
    await server.kill();
    await eventually(isState(one, 'lost'));
    await eventually(isState(other, 'lost'));
    const counts = [...answers.values()].map((all) => all.length);
    await eventually(async () => [...answers.values()].every((all, i) => all.length >= counts[i] + 20));
    isOver = true;
    await Promise.all(load);
    for (const [path, all] of answers) {
      const slowest = Math.max(...all.map(({ tookMs }) => tookMs));
      assert.ok(slowest < FAST_MS, `${path}: ${slowest} ms`);
    }
    const last = (path: string) => answers.get(path)?.slice(-10) ?? [];
    assert.deepEqual(seen(last('/open')), ['200']);
    assert.deepEqual(seen(last('/closed')), ['503 limits-unavailable']);
    assert.deepEqual(seen(last('/local')), ['429 rate-limited']);
    assert.ok(
      last('/sums').every((answer) => answer.status === 404),
      String(seen(last('/sums'))),
    );
    // What the store admitted, and on each of two nodes what is its share.
    const local = statuses(answers.get('/local') ?? [], 200);
    assert.ok(local >= LIMIT && local <= 2 * LIMIT, `${local}`);
    for (const gateway of [one, other]) {
      assert.equal(gateway.output.match(/"event":"state-lost"/g)?.length, 2, 'once for each worker');
      const metrics = await (await gateway.admin('GET', '/metrics')).text();
      assert.match(metrics, /^sallyport_state_up 0$/m);
      for (const attachment of ['local/rate-limit', 'sums/auto-ban', 'sums/adaptive-limit']) {
        const counted = `^sallyport_limit_notices_total\\{.*${attachment}.*notice="state-lost"\\} [1-9]`;
        assert.match(metrics, new RegExp(counted, 'm'));
      }
    }
    await server.run();
    await eventually(isState(one, 'up'));
    await eventually(isState(other, 'up'));
    assert.match(one.output, /"event":"state-recovered"/);
    const again: Answer[] = [];
    for (let round = 0; round < LIMIT; round++) {
      again.push(...(await Promise.all([get(one.port, '/closed'), get(other.port, '/closed')])));
    }
    // One whose answer comes too late is refused here, and charged all the same.
    const [admitted, unknown] = [statuses(again, 200), statuses(again, 503)];
    const told = `${admitted} admitted, ${unknown} without the store`;
    assert.ok(admitted <= LIMIT && admitted + unknown >= LIMIT && admitted > 0, told);
  });
});

describe('a store on the command line', () => {
  const bad: readonly (readonly [what: string, args: readonly string[]])[] = [
    ['no URL of a store', ['--state', 'localhost:6379']],
    ['a password in the URL', ['--state', 'redis://:hunter22@localhost']],
    ['a password that is no reference', ['--state', 'redis://localhost', '--state-password', 'hunter22']],
    ['a password that is not there', ['--state', 'redis://localhost', '--state-password', 'env:NO_SUCH']],
  ];
  for (const [what, args] of bad) {
    it(`stops the start with ${what}, and is not repeated`, async () => {
      const folder = await temporaryFolder();
      const program = new Program(['run', '--data', folder.path, '--admin', 'off', ...args]);
      assert.equal(await program.exit(), 1);
      assert.match(program.stderr, /--state/);
      assert.doesNotMatch(`${program.stdout}${program.stderr}`, /hunter22/);
      await folder.remove();
    });
  }
});
