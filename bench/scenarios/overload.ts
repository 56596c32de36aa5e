import { type Document, freePort } from '../../test/fixtures/gateway.ts';
import { AUDIENCE, FILES, ISSUER, signToken } from '../lib/credentials.ts';
import { startSallyport } from '../lib/gateway.ts';
import { LOAD_CORE } from '../lib/lanes.ts';
import { type LaneOutcome, type OpenLane, runOpenLoad } from '../lib/open-loop.ts';
import type { Row, RunOptions, Scenario } from '../lib/scenario.ts';
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

/** Two routes that verify a token with every request: about a third of a millisecond of CPU each. */
function document(port: number, upstream: string, overload: unknown): Document {
  const policies = [
    { jwt: { issuer: ISSUER, audience: AUDIENCE, keys: [{ file: 'es256.pem' }], remember: 1 } },
  ];
  return {
    sallyport: 1,
    listeners: [{ name: 'public', address: `127.0.0.1:${port}` }],
    upstreams: { origin: { targets: [{ url: upstream }] } },
    overload,
    routes: (['high', 'low'] as const).map((priority) => {
      return { name: priority, match: { path: `/${priority}/**` }, upstream: 'origin', priority, policies };
    }),
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

async function offer(peer: Peer, perSecond: number, token: string, seconds: number): Promise<Served> {
  const headers = [`Authorization: Bearer ${token}`];
  const lane = (name: string, part: number): OpenLane => ({
    name,
    path: `/${name}/17`,
    headers,
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

async function mostServed(peer: Peer, token: string, seconds: number): Promise<number> {
  const headers = [`Authorization: Bearer ${token}`];
  const load = { path: '/low/17', headers, connections: 64, seconds, core: LOAD_CORE };
  const { requests, seconds: took } = await runWrk(peer.port, load);
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

/** Five times as many requests as can be served, begun on a schedule; with shedding, and without. */
const scenario: Scenario = {
  title: `${TIMES_CAPACITY} x capacity: ES256 tokens verified with each request, ${CONNECTIONS} connections, a tenth with high priority`,
  run: (options: RunOptions) =>
    onStage(async ({ originPort, add }) => {
      const upstream = `http://127.0.0.1:${originPort}`;
      const token = await signToken('ES256');
      const start = async (name: string, overload: unknown): Promise<Peer> =>
        await add(startSallyport(name, document(await freePort(), upstream, overload), { files: FILES }));
      const shedding = await start('shedding', {});
      const without = await start('without', 'off');
      const rounds: Round[] = [];
      for (let i = 1; i <= options.rounds; i++) {
        const { seconds } = options;
        const most = await mostServed(without, token, seconds);
        const unloaded = await offer(shedding, most * PART_UNLOADED, token, seconds);
        const round = {
          most,
          unloaded,
          shedding: await offer(shedding, most * TIMES_CAPACITY, token, seconds),
          without: await offer(without, most * TIMES_CAPACITY, token, seconds),
        };
        rounds.push(round);
        options.log(
          `round ${i}/${options.rounds}: at most ${Math.round(most)}/s; served ${Math.round(round.shedding.perSecond)}/s, p99 ${round.shedding.p99Ms.toFixed(1)} ms, unloaded ${unloaded.p99Ms.toFixed(1)} ms`,
        );
      }
      const shown = (figure: (round: Round) => number): number => median(rounds.map(figure));
      return {
        rows: [
          { load: 'at most', 'served/s': Math.round(shown(({ most }) => most)) },
          row('a tenth of it', rounds, 'unloaded'),
          row('5 x, shedding', rounds, 'shedding'),
          row('5 x, overload: off', rounds, 'without'),
        ],
        bars: [
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
        ],
      };
    }),
};

export default scenario;
