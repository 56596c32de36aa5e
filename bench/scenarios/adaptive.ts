import { systemClock } from '../../src/lib/system.ts';
import { adaptiveLimit } from '../../src/policies/adaptive-limit/policy.ts';
import { attachSharedCounters, createSharedCounters } from '../../src/state/index.ts';
import {
  ATTACKS,
  type AttackKind,
  type AttackResult,
  type Losses,
  lossOf,
  simulateAttack,
} from '../../test/fixtures/adaptive/attack.ts';
import { type Goodput, type Halving, simulateUpstream } from '../../test/fixtures/adaptive/upstream.ts';
import { compileDeps, policyContext } from '../../test/fixtures/policy-context.ts';
import type { Bar, Row, RunOptions, Scenario } from '../lib/scenario.ts';
import { median } from '../lib/statistics.ts';

const SEED = 20_261_125;
const CROWD = { normalCallers: 1000, attackers: 1, seed: SEED, learnMs: 1_200_000, attackMs: 120_000 };
const CAPACITY = { healthyMs: 60_000, halvedMs: 120_000, seed: SEED };
/** Upstreams in requests per second: half loaded and overloaded from the start, slow and quick. */
const UPSTREAMS = [
  { workers: 20, serviceMs: 50, requestsPerSecond: 320 },
  { workers: 20, serviceMs: 50, requestsPerSecond: 600 },
  { workers: 8, serviceMs: 10, requestsPerSecond: 640 },
] as const;
const HALVINGS: readonly Halving[] = ['half the workers', 'twice as slow'];
/** Requests that one round of the measurement of cost makes. */
const ASKED = 200_000;
const CALLERS = 1000;

/** Limits that move, simulated: time is the simulation's, so that each run says the same; only the cost is measured. */
const scenario: Scenario = {
  title: 'adaptive-limit: attackers among 1,000 callers; an upstream whose capacity halves; cost per request',
  run: async (options: RunOptions) => {
    const attacks = await attacked(options);
    const upstreams = await halved(options);
    const cost = await costs(options);
    return {
      rows: [...attacks.rows, ...upstreams.rows, ...cost.rows],
      bars: [...attacks.bars, ...upstreams.bars, ...cost.bars],
    };
  },
};

const percent = (part: number): string => `${(part * 100).toFixed(2)} %`;

interface Part {
  readonly rows: Row[];
  readonly bars: Bar[];
}

async function attacked({ log }: RunOptions): Promise<Part> {
  log('attackers among callers');
  const fixed = await simulateAttack({ ...CROWD, adapts: false });
  const moving = await simulateAttack({ ...CROWD, adapts: true });
  const rows = ATTACKS.map((kind) => attackRow(kind, fixed, moving));
  rows.push({
    caller: '1,000 normal ones',
    requests: moving.normal.sent,
    'lost, fixed limit': percent(lossOf(fixed.normal)),
    'lost in 10 s': '',
    'lost after': percent(lossOf(moving.normal)),
  });
  const bars = ATTACKS.map((kind) => ({
    name: `let through after 10 s: ${kind}`,
    value: 1 - lossOf(known(moving.late, kind)),
    limit: 0.05,
  }));
  bars.push({ name: 'normal callers lost', value: lossOf(moving.normal), limit: 0.005 });
  bars.push({
    name: 'normal callers lost meanwhile',
    value: lossOf(moving.normalMeanwhile),
    limit: 0.005,
  });
  return { rows, bars };
}

function known(losses: ReadonlyMap<AttackKind, Losses>, kind: AttackKind): Losses {
  const found = losses.get(kind);
  if (found === undefined || found.sent === 0) throw new Error(`nobody ${kind}`);
  return found;
}

const attackRow = (kind: AttackKind, fixed: AttackResult, moving: AttackResult): Row => ({
  caller: kind,
  requests: known(moving.early, kind).sent + known(moving.late, kind).sent,
  'lost, fixed limit': percent(lossOf(known(fixed.late, kind))),
  'lost in 10 s': percent(lossOf(known(moving.early, kind))),
  'lost after': percent(lossOf(known(moving.late, kind))),
});

async function halved({ log }: RunOptions): Promise<Part> {
  const rows: Row[] = [];
  const bars: Bar[] = [];
  for (const upstream of UPSTREAMS) {
    for (const halving of HALVINGS) {
      const name = `${upstream.workers} × ${upstream.serviceMs} ms at ${upstream.requestsPerSecond}/s, ${halving}`;
      log(name);
      const options = { ...CAPACITY, ...upstream, halving };
      const free = await simulateUpstream({ ...options, limited: false });
      const kept = await simulateUpstream({ ...options, limited: true });
      rows.push({
        upstream: name,
        best: kept.halved.best.toFixed(0),
        'without a limit': told(free.halved),
        'before halving': told(kept.healthy),
        halved: told(kept.halved),
        'worst 5 s': kept.halved.worst.toFixed(0),
        'p99 ms': kept.halved.p99Ms.toFixed(0),
        'refused critical, low': `${percent(kept.refused.critical)}, ${percent(kept.refused.low)}`,
      });
      bars.push(
        { name: `goodput lost: ${name}`, value: missing(kept.halved, kept.halved.perSecond), limit: 0.1 },
        { name: `worst 5 s: ${name}`, value: missing(kept.halved, kept.halved.worst), limit: 0.25 },
      );
    }
  }
  return { rows, bars };
}

const told = ({ perSecond, best }: Goodput): string =>
  `${perSecond.toFixed(0)} (${percent(perSecond / best)})`;

const missing = ({ best }: Goodput, perSecond: number): number => Math.max(0, 1 - perSecond / best);

/** What a request costs in memory shared by workers, with everything on, for callers that come again and again. */
async function costs({ rounds, log }: RunOptions): Promise<Part> {
  log('cost per request');
  const { memory } = createSharedCounters({ random: { hex: (bytes) => 'ab'.repeat(bytes) } });
  const state = attachSharedCounters(memory);
  const policy = await adaptiveLimit.compile(
    { limit: 1_000_000, window: '1m', by: 'address', headers: 'none', health: false },
    compileDeps(),
  );
  const contexts = Array.from({ length: CALLERS }, (_, i) =>
    policyContext({ state, client: `10.3.${i >> 8}.${i & 255}` }),
  );
  const figures: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const began = systemClock.monotonic();
    for (let i = 0; i < ASKED; i++) {
      const context = contexts[i % CALLERS];
      // A hundred requests a second of each caller's: most find what is known of them still fresh, some do not.
      context.now += 10;
      const decision = policy.request?.(context);
      if (decision instanceof Promise) throw new Error('counters in memory answered later');
    }
    const tookMs = systemClock.monotonic() - began;
    for (const context of contexts) await context.end({ status: 200 });
    if (round > 0) figures.push((tookMs * 1000) / ASKED);
  }
  const cost = median(figures);
  return {
    rows: [{ cost: 'a request judged, headers and health off', µs: cost.toFixed(2) }],
    bars: [{ name: 'µs per request', value: cost, limit: 2 }],
  };
}

export default scenario;
