import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Deadlines } from './deadlines.ts';

class Timed {
  deadlineMs: number;
  fired = 0;
  atDeadline: () => void = () => {};

  constructor(deadlineMs: number) {
    this.deadlineMs = deadlineMs;
  }

  onDeadline(): void {
    this.fired++;
    this.atDeadline();
  }
}

interface World {
  readonly deadlines: Deadlines;
  readonly defects: readonly string[];
  sweepAt(ms: number): number[];
}

function world(...waiting: Timed[]): World {
  let nowMs = 0;
  const defects: string[] = [];
  const deadlines = new Deadlines(
    () => nowMs,
    (cause) => void defects.push(String(cause)),
  );
  deadlines.stop();
  for (const one of waiting) deadlines.add(one);
  return {
    deadlines,
    defects,
    sweepAt: (ms) => {
      nowMs = ms;
      deadlines.sweep();
      return waiting.map((one) => one.fired);
    },
  };
}

it('what is due fires once; 0 waits for nothing', () => {
  const { sweepAt } = world(new Timed(10), new Timed(20), new Timed(0));
  assert.deepEqual(sweepAt(9), [0, 0, 0]);
  assert.deepEqual(sweepAt(10), [1, 0, 0]);
  assert.deepEqual(sweepAt(30), [1, 1, 0]);
  assert.deepEqual(sweepAt(99), [1, 1, 0]);
});

it('a deadline may be moved, also when it fires', () => {
  const one = new Timed(10);
  one.atDeadline = () => {
    one.deadlineMs = 20;
  };
  const { sweepAt } = world(one);
  assert.deepEqual([sweepAt(10), sweepAt(15), sweepAt(20)], [[1], [1], [2]]);
});

it('whoever is removed, also by another at that moment, does not fire', () => {
  const [one, other] = [new Timed(10), new Timed(10)];
  const { deadlines, sweepAt } = world(one, other);
  one.atDeadline = () => deadlines.remove(other);
  assert.deepEqual(sweepAt(10), [1, 0]);
  deadlines.remove(one);
  one.deadlineMs = 11;
  assert.deepEqual(sweepAt(12), [1, 0]);
});

it('a deadline told without the clock is never early, and late by a tick at most', () => {
  const one = new Timed(0);
  const { deadlines, sweepAt } = world(one);
  sweepAt(1000);
  one.deadlineMs = deadlines.after(50);
  assert.deepEqual([sweepAt(1149), sweepAt(1150)], [[0], [1]]);
});

it('a deadline that throws is told, and the others fire', () => {
  const [bad, good] = [new Timed(10), new Timed(10)];
  bad.atDeadline = () => {
    throw new Error('unseen');
  };
  const { sweepAt, defects } = world(bad, good);
  assert.deepEqual(
    [sweepAt(10), sweepAt(20)],
    [
      [1, 1],
      [1, 1],
    ],
  );
  assert.deepEqual(defects, ['Error: unseen']);
});
