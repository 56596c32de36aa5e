import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DENIED, simulateRollout } from '../../../test/fixtures/rollouts/simulated-rollout.ts';
import {
  type ArmFigures,
  CALLER_GROUPS,
  type Gates,
  LATENCY_BUCKETS,
  type TrialFigures,
} from '../../contract/index.ts';
import { mixtureRatio, surenessOf } from './evidence.ts';
import { type GateName, GateWatch } from './gate-watch.ts';
import { Stretches } from './stretches.ts';

const GATES: Gates = { denyRate: 0.2, errorRate: 0.01, p99: 0.25, flips: undefined };
const NO_GATES: Gates = { denyRate: undefined, errorRate: undefined, p99: undefined, flips: undefined };
const CROWD = { callers: 500, requestsPerSecond: 1000, steps: [0.05, 0.5], seconds: 200, gates: GATES };

const spread = (n: number, over = CALLER_GROUPS): number[] =>
  Array.from({ length: CALLER_GROUPS }, (_, g) => (g < over ? n : 0));

function arm(more: Partial<ArmFigures> = {}): ArmFigures {
  const none = spread(0);
  const latency = new Array<number>(LATENCY_BUCKETS).fill(0);
  const nothing = { denied: none, gatewayErrors: none, upstreamErrors: none, latency };
  return { requests: spread(100), ...nothing, ...more };
}

function figures(more: Partial<TrialFigures> = {}): TrialFigures {
  const shadow = { judged: 0, same: 0, flips: [], otherFlips: 0, undecided: {}, leftOut: 0, costMs: 0 };
  return { rollout: 'r', revision: 'c', baseline: arm(), canary: arm(), shadow, ...more };
}

function judged(gates: Gates, seen: TrialFigures, decides = true) {
  const watch = new GateWatch(gates);
  watch.observe(seen);
  return watch.judge(decides);
}

const flipping = (judged: number, count: number): TrialFigures['shadow'] => ({
  judged,
  same: judged - count,
  flips: [{ ...DENIED, count, examples: ['a'] }],
  otherFlips: 0,
  undecided: {},
  leftOut: 0,
  costMs: 1,
});

describe('what a harmful candidate does, and the gate it breaks', () => {
  const CASES: readonly [string, Gates, TrialFigures, GateName | undefined][] = [
    ['it denies one of ten', GATES, figures({ canary: arm({ denied: spread(10) }) }), 'denyRate'],
    ['it fails one of ten', GATES, figures({ canary: arm({ gatewayErrors: spread(10) }) }), 'gatewayErrors'],
    ['its upstream fails', GATES, figures({ canary: arm({ upstreamErrors: spread(10) }) }), 'upstreamErrors'],
    [
      'all that three callers send fails',
      GATES,
      figures({ canary: arm({ requests: spread(100, 3), gatewayErrors: spread(100, 3) }) }),
      'gatewayErrors',
    ],
    ['pairs show it in a few', GATES, figures({ shadow: flipping(2000, 40) }), 'denyRate'],
    [
      'a third of few requests fails at the upstream',
      GATES,
      figures({ canary: arm({ requests: spread(3), upstreamErrors: spread(1) }) }),
      'upstreamErrors',
    ],
    ['it judges otherwise', { ...NO_GATES, flips: 0.001 }, figures({ shadow: flipping(2000, 40) }), 'flips'],
    ['nothing', { ...GATES, flips: 0 }, figures(), undefined],
    ['nobody looks', NO_GATES, figures({ canary: arm({ gatewayErrors: spread(90) }) }), undefined],
    [
      'one caller of many fails with all it sends',
      GATES,
      figures({ canary: arm({ gatewayErrors: spread(100, 1) }) }),
      undefined,
    ],
    [
      'all that one consumer sends fails, and it is the whole canary',
      GATES,
      figures({ canary: arm({ requests: spread(100, 1), gatewayErrors: spread(100, 1) }) }),
      'gatewayErrors',
    ],
    [
      'the same at the upstream',
      GATES,
      figures({ canary: arm({ requests: spread(100, 1), upstreamErrors: spread(100, 1) }) }),
      'upstreamErrors',
    ],
    [
      'a third of it fails at the upstream, as for an odd caller',
      GATES,
      figures({ canary: arm({ requests: spread(100, 1), upstreamErrors: spread(33, 1) }) }),
      undefined,
    ],
    [
      'the one consumer is denied, as both would deny it',
      GATES,
      figures({ canary: arm({ requests: spread(100, 1), denied: spread(100, 1) }) }),
      undefined,
    ],
    [
      'both fail alike',
      GATES,
      figures({ baseline: arm({ upstreamErrors: spread(50) }), canary: arm({ upstreamErrors: spread(50) }) }),
      undefined,
    ],
    ['four errors in all', GATES, figures({ canary: arm({ gatewayErrors: spread(1, 4) }) }), undefined],
  ];
  for (const [name, gates, seen, gate] of CASES) {
    it(name, () => {
      const { verdict, findings } = judged(gates, seen);
      const broken = findings.filter(({ state }) => state === 'broken').map((f) => f.gate);
      assert.deepEqual(broken, gate === undefined ? [] : [gate]);
      assert.equal(verdict, gate === undefined ? 'passed' : 'broken');
    });
  }
});

describe('what is too little to go on', () => {
  it('nothing was seen yet', () => {
    assert.deepEqual(new GateWatch(GATES).judge(true), { verdict: 'hold', findings: [] });
  });

  it('the candidate has decided a few requests', () => {
    const few = figures({ canary: arm({ requests: spread(1) }) });
    assert.equal(judged(GATES, few).verdict, 'hold');
    assert.ok(judged(GATES, few).findings.every(({ state }) => state !== 'broken'));
  });

  it('it is likely broken, and not sure', () => {
    const seen = figures({ canary: arm({ requests: spread(10, 8), gatewayErrors: spread(2, 8) }) });
    const { verdict, findings } = judged(GATES, seen);
    const { sureness, state } = findings.find(({ gate }) => gate === 'gatewayErrors') ?? assert.fail();
    assert.ok(sureness >= 0.9 && state === 'held', `${sureness}`);
    assert.equal(verdict, 'hold');
  });

  it('in shadow only what was judged twice counts', () => {
    const seen = figures({ canary: arm({ gatewayErrors: spread(90) }), shadow: flipping(40, 0) });
    assert.equal(judged(GATES, seen, false).verdict, 'hold');
    assert.equal(judged(GATES, { ...seen, shadow: flipping(4000, 0) }, false).verdict, 'passed');
  });

  it('without a baseline nothing is compared', () => {
    const { findings } = judged(GATES, figures({ baseline: arm({ requests: spread(0) }) }));
    assert.deepEqual(new Set(findings.map(({ state }) => state)), new Set(['unseen']));
  });
});

describe('how long answers take', () => {
  const around = (bucket: number): number[] => {
    const latency = new Array<number>(LATENCY_BUCKETS).fill(0);
    for (let b = bucket - 20; b <= bucket; b++) latency[b] = b > bucket - 2 ? 20 : 200;
    return latency;
  };
  const watched = (buckets: number) => {
    const watch = new GateWatch({ ...NO_GATES, p99: 0.25 });
    for (let n = 1; n <= 10; n++) {
      const grown = (latency: number[]) => latency.map((count) => count * n);
      watch.observe(
        figures({
          baseline: arm({ latency: grown(around(60)) }),
          canary: arm({ latency: grown(around(60 + buckets)) }),
        }),
      );
    }
    return watch.judge(true).findings[0];
  };

  it('twice as slow breaks the gate, a tenth slower does not', () => {
    assert.equal(watched(9).state, 'broken');
    assert.equal(watched(1).state, 'held');
    assert.equal(watched(0).state, 'held');
  });

  it('tells both percentiles and what is allowed', () => {
    const { baseline, canary, allowed } = watched(9);
    assert.ok(canary > 1.8 * baseline && allowed > baseline && allowed < canary);
  });
});

describe('over simulated traffic, asked every second', () => {
  it('a quiet rollout is never rolled back, however few or busy its callers', () => {
    for (let i = 0; i < 20; i++) {
      const callers = [5, 20, 100, 500][i % 4];
      const requestsPerSecond = [5, 50, 500][i % 3];
      const world = { ...CROWD, seed: 1000 + i, callers, requestsPerSecond, harm: {}, judgedTwice: 0.2 };
      assert.equal(simulateRollout(world).broken, undefined, `seed ${1000 + i}`);
    }
  });

  const HARMS = [
    ['denies', { denies: 0.05 }],
    ['breaks', { breaks: 0.05 }],
    ['has the upstream fail', { upstreamBreaks: 0.05 }],
  ] as const;
  for (const [name, harm] of HARMS) {
    it(`one that ${name} five of a hundred is`, () => {
      for (let seed = 1; seed <= 5; seed++) {
        const { broken } = simulateRollout({ ...CROWD, seed, harm, judgedTwice: 1 });
        assert.notEqual(broken, undefined, `seed ${seed}`);
      }
    });
  }
});

describe('evidence', () => {
  it('what is not above what is allowed is none', () => {
    assert.equal(mixtureRatio(0, 0.01, 0.02), 0);
    assert.equal(mixtureRatio(-1, 0.01, 0.02), 0);
    assert.equal(surenessOf(0.5), 0);
  });

  it('grows with the difference, and shrinks with its variance', () => {
    assert.ok(mixtureRatio(0.02, 1e-5, 0.02) > mixtureRatio(0.01, 1e-5, 0.02));
    assert.ok(mixtureRatio(0.02, 1e-5, 0.02) > mixtureRatio(0.02, 1e-4, 0.02));
    assert.equal(surenessOf(2000), 0.9995);
  });
});

describe('stretches of time', () => {
  it('become longer, and lose nothing but what is still under way', () => {
    const stretches = new Stretches(1);
    for (let n = 1; n <= 1000; n++) stretches.add([n]);
    const growth = stretches.growth(0);
    assert.ok(growth.length < 64);
    const seen = growth.reduce((a, b) => a + b, 0);
    assert.ok(seen > 950 && seen <= 1000);
    assert.throws(() => stretches.growth(1), RangeError);
  });
});
