import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedWorker } from '../../../test/fixtures/simulated-worker.ts';
import type { OverloadPlan } from '../../contract/index.ts';
import { Admission } from './admission.ts';

const PLAN: OverloadPlan = { lagMs: 50, memory: { share: 0.9 }, retryAfterMs: 1000 };
const TICK_MS = 20;
const IDLE = {
  lagMs: 0,
  turnMs: 0,
  cpuShare: 1,
  threadShare: 1,
  heapShare: 0,
  residentBytes: 0,
  residentLimitBytes: 1000,
  watch: () => {},
};
const LATE = { ...IDLE, lagMs: 80, turnMs: 80 };
/** Late for a core that others have. */
const STARVED = { ...LATE, lagMs: 1000, turnMs: 1000, cpuShare: 0.1, threadShare: 0.1 };
const RANKS = [0, 1, 2, 3] as const;

/** One that is past its first second. */
function settled(): Admission {
  const admission = new Admission(4);
  admission.adjust(1000, IDLE, PLAN);
  return admission;
}

/** A request whose policies decide at once. */
function ask(admission: Admission, rank: number): boolean {
  if (!admission.admits(rank)) return false;
  admission.began();
  admission.decided();
  return true;
}

/** Asks for `each` requests of every rank, mixed; how many of each were let on. */
function offer(admission: Admission, each: readonly number[]): number[] {
  const admitted = each.map(() => 0);
  for (let i = 0; i < Math.max(...each); i++)
    for (const [rank, many] of each.entries()) if (i < many && ask(admission, rank)) admitted[rank]++;
  admission.turnEnded();
  return admitted;
}

/** So many of one rank. */
function row(rank: number, many: number): number[] {
  return RANKS.map((one) => (one === rank ? many : 0));
}

/** Offers the same between any two measurements, and says what was let on between the last two. */
function offerFor(ticks: number, admission: Admission, each: readonly number[], load = LATE): number[] {
  let admitted: number[] = [];
  for (let i = 0; i < ticks; i++) {
    admitted = offer(admission, each);
    admission.adjust(TICK_MS, load, PLAN);
  }
  return admitted;
}

describe('who is let on', () => {
  it('refuses nobody while the loop is in time, or late for a moment only', () => {
    const admission = settled();
    const pause = { ...IDLE, turnMs: 400 };
    for (const load of [IDLE, pause, IDLE, { ...IDLE, lagMs: 50 }])
      assert.deepEqual(offerFor(1, admission, [50, 50, 50, 50], load), [50, 50, 50, 50]);
    assert.equal(admission.isShedding, false);
  });

  it('refuses the least important first, and nobody before all below are refused', () => {
    const worker = new SimulatedWorker(4, PLAN, 0.2);
    worker.run(1000, [0, 0, 0, 0]);
    worker.run(2000, [1, 1, 5, 20]);
    const { served } = worker.run(4000, [1, 1, 5, 20]);
    const capacity = 4000 / worker.costMs;
    assert.ok(Math.min(served[0], served[1]) > 4000 * 0.995, `${served}`);
    assert.ok(served[2] > capacity * 0.5, `${served}`);
    assert.ok(served[3] < capacity * 0.02, `${served}`);
  });

  it('lets one on with every measurement, whatever holds the loop', () => {
    const admission = settled();
    offerFor(500, admission, [10, 10, 10, 10]);
    assert.ok(offerFor(1, admission, [10, 10, 10, 10])[0] >= 1);
    assert.ok(offerFor(100, admission, [0, 0, 0, 10])[3] >= 1, 'the rest when nobody else comes');
  });

  it('serves who comes alone', () => {
    const admission = settled();
    offerFor(100, admission, [10, 10, 10, 10]);
    offerFor(2, admission, [0, 0, 0, 0]);
    assert.deepEqual(offerFor(5, admission, [0, 0, 0, 1]), [0, 0, 0, 1]);
  });

  it('lets more on when fewer come, until it is over', () => {
    const worker = new SimulatedWorker(4, PLAN, 0.2);
    worker.run(1000, [0, 0, 0, 0]);
    worker.run(1000, [0, 0, 0, 20]);
    assert.equal(worker.admission.isShedding, true);
    worker.run(1000, [0, 0, 0, 2]);
    assert.equal(worker.run(1000, [0, 0, 0, 2]).refused, 0);
    assert.equal(worker.admission.isShedding, false);
  });

  it('is over only when nobody was refused for a second', () => {
    const admission = settled();
    offerFor(1, admission, [10, 10, 10, 10], LATE);
    offerFor(900 / TICK_MS, admission, [1, 1, 1, 1], IDLE);
    assert.equal(admission.isShedding, true);
    offerFor(200 / TICK_MS, admission, [1, 1, 1, 1], IDLE);
    assert.equal(admission.isShedding, false);
  });

  it('has room for few at a time, and for more of those that matter more', () => {
    const admission = settled();
    offerFor(20, admission, [1, 1, 1, 1]);
    // With 0.2 requests a millisecond, and 5 milliseconds to do them in, it is the least there is: 4.
    const letOn = (underWay: number): boolean[] => {
      for (let i = 0; i < underWay; i++) admission.began();
      const found = RANKS.map((rank) => offer(admission, row(rank, 10))[rank] > 0);
      for (let i = 0; i < underWay; i++) admission.decided();
      admission.turnEnded();
      return found;
    };
    admission.adjust(TICK_MS, LATE, PLAN);
    assert.deepEqual(letOn(4), [true, true, true, false]);
    assert.deepEqual(letOn(6), [true, true, false, false]);
    assert.deepEqual(letOn(8), [true, false, false, false]);
    assert.deepEqual(letOn(10), [false, false, false, false]);
  });

  it('knows who is short of room, by what was refused in the last second', () => {
    const admission = settled();
    offerFor(20, admission, [1, 1, 1, 30]);
    assert.deepEqual(
      RANKS.map((rank) => admission.isShort(rank)),
      [false, false, false, true],
    );
    admission.open();
    assert.equal(admission.isShort(3), false);
  });

  const MEMORY: readonly (readonly [
    name: string,
    memory: OverloadPlan['memory'],
    used: Partial<typeof IDLE>,
    letOn: number,
  ])[] = [
    ['enough', { share: 0.9 }, { heapShare: 0.89, residentBytes: 890 }, 4],
    ['a heap at its bound', { share: 0.9 }, { heapShare: 0.9 }, 3],
    ['above it', { share: 0.9 }, { heapShare: 0.93 }, 2],
    ['far above it', { share: 0.9 }, { heapShare: 0.95 }, 1],
    ['all of it', { share: 0.9 }, { heapShare: 0.99 }, 0],
    ['a process at its bound', { share: 0.9 }, { residentBytes: 901 }, 3],
    ['a size that is not reached', { bytes: 500 }, { residentBytes: 499, heapShare: 1 }, 4],
    ['a size that is', { bytes: 500 }, { residentBytes: 500 }, 3],
    ['one that is far behind', { bytes: 500 }, { residentBytes: 1000 }, 0],
  ];
  for (const [name, memory, used, letOn] of MEMORY) {
    it(`memory: ${name}`, () => {
      const admission = settled();
      const plan = { ...PLAN, memory };
      offer(admission, [10, 10, 10, 10]);
      admission.adjust(TICK_MS, { ...IDLE, ...used }, plan);
      assert.deepEqual(
        offer(admission, [10, 10, 10, 10]),
        RANKS.map((rank) => (rank < letOn ? 10 : 0)),
      );
    });
  }
});

describe('what is no overload', () => {
  type Case = readonly [name: string, admission: () => Admission, each: readonly number[], load: typeof IDLE];
  const CASES: readonly Case[] = [
    ['few requests, however late the loop is', settled, [0, 0, 1, 0], { ...LATE, lagMs: 1000, turnMs: 1000 }],
    ['few requests, and others have the core', settled, [0, 0, 1, 0], STARVED],
    ['a loop that waits for its core', settled, [9, 9, 9, 9], { ...STARVED, lagMs: 500 }],
    [
      'a process that works, and a loop that waits',
      settled,
      [9, 9, 9, 9],
      { ...STARVED, lagMs: 500, cpuShare: 1 },
    ],
    ['nobody at all', settled, [0, 0, 0, 0], LATE],
  ];
  for (const [name, make, each, load] of CASES) {
    it(name, () => {
      const admission = make();
      for (let i = 0; i < 100; i++) assert.deepEqual(offerFor(1, admission, each, load), each);
      assert.equal(admission.isShedding, false);
    });
  }

  it('the first second of a worker', () => {
    const admission = new Admission(4);
    for (let i = 0; i < 49; i++) offerFor(1, admission, [10, 10, 10, 10]);
    assert.equal(admission.isShedding, false);
    offerFor(2, admission, [10, 10, 10, 10]);
    assert.equal(admission.isShedding, true);
  });

  it('a burst, after an overload and a moment of nothing', () => {
    const admission = settled();
    offerFor(50, admission, [10, 10, 10, 10]);
    assert.equal(admission.isShedding, true);
    offerFor(5, admission, [0, 0, 0, 0], { ...IDLE, cpuShare: 0, threadShare: 0 });
    assert.deepEqual(offer(admission, [0, 0, 0, 8]), [0, 0, 0, 8]);
  });

  it('a burst after an hour in which little came', () => {
    const worker = new SimulatedWorker(4, PLAN, 0.2);
    worker.run(60_000, [0, 0, 0, 0.001]);
    assert.equal(worker.run(8, [0, 0, 0, 1]).refused, 0);
    assert.equal(worker.run(100, [0, 0, 0, 4]).refused, 0);
  });
});

describe('a crowd', () => {
  it('is refused where others have the core and it waits very long, but for what is served all the same', () => {
    const admission = settled();
    offerFor(10, admission, [0, 0, 0, 20], STARVED);
    assert.equal(admission.isShedding, true);
    assert.ok(offerFor(1, admission, [0, 0, 0, 20], STARVED)[3] < 20);
    offerFor(5, admission, [0, 0, 0, 1], STARVED);
    assert.deepEqual(offer(admission, [0, 0, 0, 8]), [0, 0, 0, 8], 'few of them');
  });

  it('is one also where it comes slowly, if each takes long', () => {
    const worker = new SimulatedWorker(1, PLAN, 40);
    worker.run(1000, [0]);
    worker.run(4000, [0.1]);
    assert.equal(worker.admission.isShedding, true);
  });

  it('is one also where it waits for the pool of threads', () => {
    const admission = settled();
    for (let i = 0; i < 10; i++) admission.began();
    const inPool = { ...LATE, threadShare: 0.1 };
    offerFor(5, admission, [0, 0, 0, 0], inPool);
    assert.equal(admission.isShedding, true);
  });

  const COSTS: readonly (readonly [costMs: number, offered: number])[] = [
    [0.05, 5],
    [0.2, 2],
    [0.2, 5],
    [0.2, 20],
    [1.5, 5],
  ];
  for (const [costMs, times] of COSTS) {
    it(`of ${times} times what can be served at ${costMs} ms each: nearly all of that is, in short turns`, () => {
      const worker = new SimulatedWorker(4, { ...PLAN, lagMs: 20 }, costMs);
      worker.run(1000, [0, 0, 0, 0]);
      const perMs = [0, 0, (0.5 / costMs) * 0.9, times / costMs];
      worker.run(2000, perMs);
      const { served, turnsMs } = worker.run(5000, perMs);
      const all = served.reduce((sum, many) => sum + many, 0);
      assert.ok(all * costMs > 5000 * 0.9, `served ${all} of ${5000 / costMs}`);
      assert.ok(
        served[2] > 5000 * perMs[2] * 0.99,
        `${served[2]} of ${5000 * perMs[2]} with the better rank`,
      );
      const p99 = turnsMs[Math.floor(turnsMs.length * 0.99)];
      assert.ok(p99 < Math.max(8, costMs * 8), `${p99} ms`);
    });
  }
});
