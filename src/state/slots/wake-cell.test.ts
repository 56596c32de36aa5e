import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allocateSlots, openSlots } from './layout.ts';
import { NONE, Places } from './places.ts';
import { WakeCell } from './wake-cell.ts';

const WAITERS = 64;
const ROW = 1;
/** Of the row's that wait: in the first word of bits that it looks at, and in the last. */
const EARLY = ROW * WAITERS + 3;
const LATE = ROW * WAITERS + 63;

/** A cell that wants to see so many, and another that tells it things, also while it looks. */
class Stage {
  readonly seen: number[] = [];
  readonly other: Places;
  readonly cell: WakeCell;
  wanted = 0;
  whileItLooks: () => void = () => {};

  constructor() {
    const buffer = allocateSlots({ maxKeys: 16, rows: 2, ticketsPerRow: 64, waitersPerRow: WAITERS });
    this.other = new Places(buffer, 7, NONE);
    this.cell = new WakeCell(openSlots(buffer), ROW, {
      isWanted: () => this.seen.length < this.wanted,
      onTold: (waiter) => {
        this.seen.push(waiter);
        const work = this.whileItLooks;
        this.whileItLooks = () => {};
        work();
      },
    });
  }

  async sees(...waiters: readonly number[]): Promise<void> {
    for (let tries = 0; tries < 10_000 && this.seen.length < waiters.length; tries++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(this.seen, waiters);
  }
}

describe('a thread that waits to be told something', () => {
  it('sees what it was told before it listened, and what it is told after, once each', async () => {
    const stage = new Stage();
    stage.wanted = 3;
    stage.other.tell(LATE);
    stage.cell.listen();
    assert.deepEqual(stage.seen, [LATE]);
    stage.other.tell(EARLY);
    await stage.sees(LATE, EARLY);
    stage.other.tell(LATE);
    stage.other.tell(LATE);
    await stage.sees(LATE, EARLY, LATE);
  });

  it('sees what it is told while it looks, at what it has looked at already', async () => {
    const stage = new Stage();
    stage.wanted = 2;
    stage.whileItLooks = () => stage.other.tell(EARLY);
    stage.other.tell(LATE);
    stage.cell.listen();
    await stage.sees(LATE, EARLY);
  });

  it('does not listen when nobody waits, and again when somebody does', async () => {
    const stage = new Stage();
    stage.cell.listen();
    stage.other.tell(EARLY);
    assert.deepEqual(stage.seen, []);
    stage.wanted = 1;
    stage.cell.listen();
    await stage.sees(EARLY);
  });
});
