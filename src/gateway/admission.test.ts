import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OverloadPlan } from '../contract/index.ts';
import { Admission } from './admission.ts';

const PLAN: OverloadPlan = { lagMs: 50, memory: { share: 0.9 }, retryAfterMs: 1000 };
const TICK_MS = 20;
const IDLE = {
  lagMs: 0,
  turnMs: 0,
  cpuShare: 1,
  heapShare: 0,
  residentBytes: 0,
  residentLimitBytes: 1000,
  watch: () => {},
};
const LATE = { ...IDLE, lagMs: 80, turnMs: 80 };
const RANKS = [0, 1, 2, 3] as const;

/** Asks for `each` requests of every rank, mixed; how many of each were let on. */
function offer(admission: Admission, each: readonly number[]): number[] {
  const admitted = each.map(() => 0);
  for (let i = 0; i < Math.max(...each); i++)
    for (const [rank, many] of each.entries()) if (i < many && admission.admits(rank)) admitted[rank]++;
  return admitted;
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
    const admission = new Admission(4);
    const pause = { ...IDLE, turnMs: 400 };
    for (const load of [IDLE, pause, IDLE, { ...IDLE, lagMs: 50 }])
      assert.deepEqual(offerFor(1, admission, [50, 50, 50, 50], load), [50, 50, 50, 50]);
    assert.equal(admission.isShedding, false);
  });

  it('refuses nobody for a core that others have, unless the loop is very late', () => {
    const admission = new Admission(4);
    offerFor(20, admission, [10, 10, 10, 10], { ...LATE, lagMs: 200, cpuShare: 0.3 });
    assert.equal(admission.isShedding, false);
    offerFor(1, admission, [10, 10, 10, 10], { ...LATE, lagMs: 201, cpuShare: 0.3 });
    assert.equal(admission.isShedding, true);
  });

  it('refuses the least important first, and nobody before all below are refused', () => {
    const admission = new Admission(4);
    let refusedBefore = 0;
    for (let i = 0; i < 200; i++) {
      const admitted = offerFor(1, admission, [10, 10, 10, 10]);
      const first = admitted.findIndex((many) => many < 10);
      if (first === -1) continue;
      // The rates are those of the measurements before: the rank at the edge may get one more or less.
      for (const rank of RANKS) if (rank > first) assert.ok(admitted[rank] <= 1, `${admitted} in round ${i}`);
      refusedBefore++;
    }
    assert.ok(refusedBefore > 100);
    assert.deepEqual(offerFor(1, admission, [10, 10, 10, 10]).slice(1), [0, 0, 0], 'and critical at last');
  });

  it('lets one on with every measurement, whatever holds the loop', () => {
    const admission = new Admission(4);
    offerFor(500, admission, [10, 10, 10, 10]);
    assert.ok(offerFor(1, admission, [10, 10, 10, 10])[0] >= 1);
    assert.ok(offerFor(100, admission, [0, 0, 0, 10])[3] >= 1, 'the rest when nobody else comes');
  });

  it('serves who comes alone', () => {
    const admission = new Admission(4);
    offerFor(100, admission, [10, 10, 10, 10]);
    offerFor(2, admission, [0, 0, 0, 0]);
    assert.deepEqual(offerFor(5, admission, [0, 0, 0, 1]), [0, 0, 0, 1]);
  });

  it('lets more on when the loop is in time again, until it is over', () => {
    const admission = new Admission(4);
    offerFor(20, admission, [10, 10, 10, 10], IDLE);
    const [, , , low] = offerFor(40, admission, [10, 10, 10, 10]);
    assert.equal(low, 0);
    const rounds = 3000 / TICK_MS;
    assert.deepEqual(offerFor(rounds, admission, [10, 10, 10, 10], IDLE), [10, 10, 10, 10]);
    offerFor(rounds, admission, [10, 10, 10, 10], IDLE);
    assert.equal(admission.isShedding, false);
  });

  it('is over only when nobody was refused for a second', () => {
    const admission = new Admission(4);
    offerFor(1, admission, [10, 10, 10, 10], LATE);
    offerFor(900 / TICK_MS, admission, [1, 1, 1, 1], IDLE);
    assert.equal(admission.isShedding, true);
    offerFor(200 / TICK_MS, admission, [1, 1, 1, 1], IDLE);
    assert.equal(admission.isShedding, false);
  });

  it('lets fewer be under way while it is late, and more of those that matter more', () => {
    const admission = new Admission(4);
    offerFor(20, admission, [100, 100, 100, 100], IDLE);
    admission.underWay = 100;
    offer(admission, [100, 100, 100, 100]);
    admission.adjust(TICK_MS, LATE, PLAN);
    // Room for 80 of the least important, and for a quarter more with each rank above.
    const letOn = (underWay: number): boolean[] => {
      admission.underWay = underWay;
      return RANKS.map(
        (rank) =>
          offer(
            admission,
            RANKS.map((one) => (one === rank ? 5 : 0)),
          )[rank] > 0,
      );
    };
    assert.deepEqual(letOn(79), [true, true, true, true]);
    assert.deepEqual(letOn(80), [true, true, true, false]);
    assert.deepEqual(letOn(100), [true, true, false, false]);
    assert.deepEqual(letOn(120), [true, false, false, false]);
    assert.deepEqual(letOn(140), [false, false, false, false]);
  });

  it('knows who is short of room, by what was refused in the last second', () => {
    const admission = new Admission(4);
    offerFor(20, admission, [10, 10, 10, 10], IDLE);
    offerFor(4, admission, [10, 10, 10, 10]);
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
      const admission = new Admission(4);
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
