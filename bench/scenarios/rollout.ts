import type { Gates } from '../../src/contract/index.ts';
import {
  type Harm,
  type RolloutStory,
  type RolloutWorld,
  simulateRollout,
} from '../../test/fixtures/rollouts/simulated-rollout.ts';
import type { Bar, Row, RunOptions, Scenario } from '../lib/scenario.ts';

const SEED = 20_261_125;
const GATES: Gates = { denyRate: 0.2, errorRate: 0.01, p99: 0.25, flips: undefined };
const STEPS = [0.05, 0.5];
const QUIET = 1000;
const HARMFUL = 100;
/** Of each kind that the quiet ones are of, in turn. */
const CALLERS = [5, 20, 100, 500, 2000];
const REQUESTS_PER_SECOND = [5, 50, 500, 5000];
const MOST_AFFECTED = 200;

const HARMS: readonly (readonly [string, Harm])[] = [
  ['2 % denied by a policy', { denies: 0.02 }],
  ['2 % failed by the gateway', { breaks: 0.02 }],
  ['2 % failed by the upstream', { upstreamBreaks: 0.02 }],
  ['half as slow again', { slower: 1.5 }],
];

/** Rollouts over simulated traffic: time is the simulation's, so that each run says the same. */
const scenario: Scenario = {
  title: 'rollout: 1,000 quiet rollouts, and candidates that break 2 % of calls',
  run: async ({ log }: RunOptions) => {
    log(`${QUIET} quiet rollouts`);
    const quiet = quietly();
    log('candidates that do harm');
    const harmful = HARMS.map(([name, harm]) => harmfully(name, harm));
    return {
      rows: [quiet.row, ...harmful.map(({ row }) => row)],
      bars: [quiet.bar, ...harmful.flatMap(({ bars }) => bars)],
    };
  },
};

function quietly(): { readonly row: Row; readonly bar: Bar } {
  let rolledBack = 0;
  for (let i = 0; i < QUIET; i++) {
    const callers = CALLERS[i % CALLERS.length];
    const requestsPerSecond = REQUESTS_PER_SECOND[i % REQUESTS_PER_SECOND.length];
    const crowd = { callers, requestsPerSecond, seconds: 300, judgedTwice: 0.2 };
    if (storyOf(i, crowd, {}).broken !== undefined) rolledBack++;
  }
  const share = rolledBack / QUIET;
  return {
    row: { rollouts: 'quiet', number: QUIET, 'rolled back': `${(share * 100).toFixed(1)} %` },
    bar: { name: 'quiet rollouts rolled back', value: share, limit: 0.01 },
  };
}

function harmfully(name: string, harm: Harm): { readonly row: Row; readonly bars: readonly Bar[] } {
  const crowd = { callers: 1000, requestsPerSecond: 5000, seconds: 600, judgedTwice: 1 };
  const stories = Array.from({ length: HARMFUL }, (_, i) => storyOf(i, crowd, harm));
  const found = stories.filter(({ broken }) => broken !== undefined);
  const affected = sorted(stories.map((s) => (s.broken === undefined ? Infinity : s.affected)));
  const seconds = sorted(found.map((s) => s.seconds));
  const row = {
    rollouts: name,
    number: HARMFUL,
    'rolled back': `${((found.length / HARMFUL) * 100).toFixed(0)} %`,
    'requests harmed, median': harm.slower === undefined ? at(affected, 0.5) : '',
    'of 9 in 10': harm.slower === undefined ? at(affected, 0.9) : '',
    'seconds, median': at(seconds, 0.5),
  };
  if (harm.slower !== undefined) return { row, bars: [] };
  return {
    row,
    bars: [{ name: `requests harmed: ${name}`, value: at(affected, 0.5), limit: MOST_AFFECTED }],
  };
}

type Crowd = Pick<RolloutWorld, 'callers' | 'requestsPerSecond' | 'seconds' | 'judgedTwice'>;

const storyOf = (i: number, crowd: Crowd, harm: Harm): RolloutStory =>
  simulateRollout({ seed: SEED + i, steps: STEPS, gates: GATES, harm, ...crowd });

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);
const at = (numbers: readonly number[], share: number): number =>
  numbers[Math.min(Math.floor(numbers.length * share), numbers.length - 1)] ?? Infinity;

export default scenario;
