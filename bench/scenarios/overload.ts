import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Document, freePort } from '../../test/fixtures/gateway.ts';
import { AUDIENCE, FILES, ISSUER, signToken } from '../lib/credentials.ts';
import { startSallyport } from '../lib/gateway.ts';
import { LOAD_CORE } from '../lib/lanes.ts';
import { type LaneOutcome, type OpenLane, runOpenLoad } from '../lib/open-loop.ts';
import type { Bar, Row, RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';
import { median } from '../lib/statistics.ts';
import { runWrk } from '../lib/wrk.ts';
import type { Peer } from '../peers/peer.ts';

const TIMES_CAPACITY = 5;
const PART_UNLOADED = 0.1;
/** Of what is offered, so much is of a route with priority `high`: at five times the capacity, half of it. */
const PART_HIGH = 0.1;
const CONNECTIONS = 500;
const WARM_UP_SECONDS = 3;

const ITEM = '{"sku":"AB-1234","count":3,"tags":["a","b"],"price":12.5}';
/** About 12 kB: parsing and checking it takes the event loop itself, and no thread of the pool. */
const BODY = `[${Array.from({ length: 200 }, () => ITEM).join(',')}]`;
const POST_SCRIPT = `
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '${BODY}'
`;
const SCHEMA = {
  type: 'array',
  items: {
    type: 'object',
    required: ['sku', 'count', 'price'],
    additionalProperties: false,
    properties: {
      sku: { type: 'string', pattern: '^[A-Z]{2}-[0-9]{4}$' },
      count: { type: 'integer', minimum: 1 },
      price: { type: 'number', minimum: 0 },
      tags: { type: 'array', uniqueItems: true, items: { type: 'string', maxLength: 16 } },
    },
  },
};

/** A kind of request, on a route of each priority: what it costs, and where. */
interface Work {
  readonly name: string;
  readonly policies: readonly unknown[];
  readonly headers: readonly string[];
  readonly body?: string;
  /** The same for wrk. */
  readonly script?: string;
}

async function works(folder: string): Promise<readonly [tokens: Work, bodies: Work]> {
  const script = join(folder, 'post.lua');
  await writeFile(script, POST_SCRIPT);
  const jwt = { issuer: ISSUER, audience: AUDIENCE, keys: [{ file: 'es256.pem' }], remember: 1 };
  const headers = [`Authorization: Bearer ${await signToken('ES256')}`];
  return [
    { name: 'tokens', policies: [{ jwt }], headers },
    { name: 'bodies', policies: [{ validate: { body: SCHEMA } }], headers: [], body: BODY, script },
  ];
}

const PRIORITIES = ['high', 'low'] as const;

function document(port: number, upstream: string, overload: unknown, all: readonly Work[]): Document {
  return {
    sallyport: 1,
    listeners: [{ name: 'public', address: `127.0.0.1:${port}` }],
    upstreams: { origin: { targets: [{ url: upstream }] } },
    overload,
    routes: all.flatMap(({ name: work, policies }) =>
      PRIORITIES.map((priority) => {
        const name = `${work}-${priority}`;
        return { name, match: { path: `/${name}/**` }, upstream: 'origin', priority, policies };
      }),
    ),
  };
}

/** What one gateway does with a load, both priorities together and the important one alone. */
interface Served {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of what was offered with high priority, the part that was not served. */
  readonly highLost: number;
  readonly lanes: readonly LaneOutcome[];
}

async function offer(peer: Peer, perSecond: number, work: Work, seconds: number): Promise<Served> {
  const lane = (name: string, part: number): OpenLane => ({
    name,
    path: `/${work.name}-${name}/17`,
    headers: work.headers,
    ...(work.body === undefined ? {} : { body: work.body }),
    perSecond: perSecond * part,
    connections: CONNECTIONS / 2,
  });
  const load = {
    lanes: [lane('high', PART_HIGH), lane('low', 1 - PART_HIGH)],
    warmUpSeconds: WARM_UP_SECONDS,
  };
  const { lanes } = await runOpenLoad(peer.port, { ...load, seconds });
  const failed = lanes.reduce((sum, one) => sum + one.failed, 0);
  if (failed > 0) throw new Error(`${failed} requests failed in another way than by being refused`);
  const [high] = lanes;
  return {
    perSecond: lanes.reduce((sum, one) => sum + one.served, 0) / seconds,
    // Of the lane that fares worse.
    p50Ms: Math.max(...lanes.map((one) => one.p50Ms)),
    p99Ms: Math.max(...lanes.map((one) => one.p99Ms)),
    highLost: 1 - high.served / high.offered,
    lanes,
  };
}

async function mostServed(peer: Peer, work: Work, seconds: number): Promise<number> {
  const { headers, script } = work;
  const load = { path: `/${work.name}-low/17`, headers, connections: 64, seconds, core: LOAD_CORE };
  const { requests, seconds: took } = await runWrk(peer.port, {
    ...load,
    ...(script === undefined ? {} : { script }),
  });
  return requests / took;
}

interface Round {
  readonly most: number;
  readonly unloaded: Served;
  readonly shedding: Served;
  readonly without: Served;
}

function row(name: string, rounds: readonly Round[], key: 'unloaded' | 'shedding' | 'without'): Row {
  const of = (figure: (one: Served, round: Round) => number): number =>
    median(rounds.map((round) => figure(round[key], round)));
  return {
    load: name,
    'served/s': Math.round(of(({ perSecond }) => perSecond)),
    'of the most': of(({ perSecond }, { most }) => perSecond / most).toFixed(2),
    'refused/s': Math.round(of(({ lanes }) => lanes.reduce((sum, one) => sum + one.refused, 0))),
    'p50 ms': of(({ p50Ms }) => p50Ms).toFixed(1),
    'p99 ms': of(({ p99Ms }) => p99Ms).toFixed(1),
    'high served': of(({ highLost }) => 1 - highLost).toFixed(3),
  };
}

type Figures = (figure: (round: Round) => number) => number;

function rows(work: string, rounds: readonly Round[], shown: Figures): Row[] {
  return [
    { load: `${work}: at most`, 'served/s': Math.round(shown(({ most }) => most)) },
    row('a tenth of it', rounds, 'unloaded'),
    row('5 x, shedding', rounds, 'shedding'),
    row('5 x, overload: off', rounds, 'without'),
  ];
}

function bars(shown: Figures): Bar[] {
  return [
    {
      name: 'most served/served at 5 x capacity',
      value: shown((r) => r.most / r.shedding.perSecond),
      limit: 1 / 0.9,
    },
    {
      name: 'p99 of the served at 5 x/unloaded',
      value: shown((r) => r.shedding.p99Ms / r.unloaded.p99Ms),
      limit: 10,
    },
    {
      name: 'high priority not served at 5 x, part',
      value: shown((r) => r.shedding.highLost),
      limit: 0.05,
    },
  ];
}

async function play(shedding: Peer, without: Peer, work: Work, options: RunOptions): Promise<Round[]> {
  const { seconds } = options;
  // Nothing is compiled yet: the first tenth of a load would be measured as slow as it never is again.
  await mostServed(shedding, work, WARM_UP_SECONDS);
  const rounds: Round[] = [];
  for (let i = 1; i <= options.rounds; i++) {
    const most = await mostServed(without, work, seconds);
    const round = {
      most,
      unloaded: await offer(shedding, most * PART_UNLOADED, work, seconds),
      shedding: await offer(shedding, most * TIMES_CAPACITY, work, seconds),
      without: await offer(without, most * TIMES_CAPACITY, work, seconds),
    };
    rounds.push(round);
    options.log(
      `${work.name}, round ${i}/${options.rounds}: at most ${Math.round(most)}/s; served ${Math.round(round.shedding.perSecond)}/s, p99 ${round.shedding.p99Ms.toFixed(1)} ms, unloaded ${round.unloaded.p99Ms.toFixed(1)} ms`,
    );
  }
  return rounds;
}

/** Five times as many requests as can be served, begun on a schedule; with shedding, and without. */
const scenario: Scenario = {
  title: `${TIMES_CAPACITY} x capacity: ES256 tokens verified with each request (the bars), and ${Math.round(BODY.length / 1000)} kB of JSON checked; ${CONNECTIONS} connections, a tenth with high priority`,
  run: (options: RunOptions) =>
    onStage(async ({ originPort, add }) => {
      const folder = await mkdtemp(join(tmpdir(), 'bench-overload-'));
      try {
        const upstream = `http://127.0.0.1:${originPort}`;
        const all = await works(folder);
        const start = async (name: string, overload: unknown): Promise<Peer> =>
          await add(
            startSallyport(name, document(await freePort(), upstream, overload, all), { files: FILES }),
          );
        const shedding = await start('shedding', {});
        const without = await start('without', 'off');
        const shown: Row[] = [];
        const measured: Bar[] = [];
        for (const work of all) {
          const rounds = await play(shedding, without, work, options);
          const figures: Figures = (figure) => median(rounds.map(figure));
          shown.push(...rows(work.name, rounds, figures));
          if (work === all[0]) measured.push(...bars(figures));
        }
        return { rows: shown, bars: measured };
      } finally {
        await rm(folder, { recursive: true });
      }
    }),
};

export default scenario;
