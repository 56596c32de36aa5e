import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoadMeter } from './load-meter.ts';

/** Turns as long as a test says, on a clock of its own. */
class Loop {
  nowMs = 1000;
  used = 10;
  cpuMs = 0;
  asked = 0;
  readonly meter: LoadMeter;
  delayMs = 0;
  isPoolStuck = false;
  freePool: () => void = () => {};
  #timer: () => void = () => {};
  #end: () => void = () => {};

  constructor() {
    this.meter = new LoadMeter(
      { now: () => 0, monotonic: () => this.nowMs },
      {
        cpuMs: () => this.cpuMs,
        threadCpuMs: () => this.cpuMs / 2,
        heap: () => {
          this.asked++;
          return { used: this.used, limit: 100 };
        },
        residentBytes: () => 5000,
        residentLimitBytes: 20_000,
      },
      {
        after: (delayMs, work) => {
          this.delayMs = delayMs;
          this.#timer = work;
        },
        atEnd: (work) => {
          this.#end = work;
        },
        afterPool: (work) => {
          if (this.isPoolStuck) this.freePool = work;
          else work();
        },
      },
    );
    this.meter.start();
  }

  /** The timer comes `lateMs` late, and what is ready then takes `workMs`. */
  turn(lateMs: number, workMs: number, cpuMs = workMs): void {
    this.nowMs += this.delayMs + lateMs;
    this.#timer();
    this.nowMs += workMs;
    this.cpuMs += cpuMs;
    this.#end();
  }
}

describe('the load of a worker', () => {
  it('is nothing while timers come in time', () => {
    const loop = new Loop();
    for (let i = 0; i < 20; i++) loop.turn(0, 0);
    assert.deepEqual([loop.meter.turnMs, loop.meter.lagMs], [0, 0]);
  });

  it('is what is ready takes, or what the timer was kept waiting', () => {
    const loop = new Loop();
    loop.turn(3, 8);
    assert.equal(loop.meter.turnMs, 8);
    loop.turn(9, 1);
    assert.equal(loop.meter.turnMs, 9);
  });

  it('does not take a pause for a queue', () => {
    const loop = new Loop();
    for (let i = 0; i < 5; i++) loop.turn(0, 1);
    loop.turn(900, 0);
    assert.ok(loop.meter.turnMs >= 900);
    assert.ok(loop.meter.lagMs <= 1, `${loop.meter.lagMs}`);
  });

  it('takes a tenth of a second of late turns for one, and a turn in time for its end', () => {
    const loop = new Loop();
    for (let i = 0; i < 5; i++) loop.turn(0, 0);
    for (let i = 0; i < 3; i++) loop.turn(0, 80);
    assert.equal(loop.meter.lagMs, 80);
    loop.turn(0, 2);
    assert.ok(loop.meter.lagMs < 80);
    loop.turn(0, 2);
    assert.equal(loop.meter.lagMs, 2);
  });

  it('tells a loop that works from one that waits for its core', () => {
    const loop = new Loop();
    for (let i = 0; i < 5; i++) loop.turn(0, 0);
    assert.equal(loop.meter.cpuShare, 0);
    for (let i = 0; i < 5; i++) loop.turn(0, 80);
    assert.equal(loop.meter.cpuShare, 0.8);
    assert.equal(loop.meter.threadShare, 0.4);
    for (let i = 0; i < 5; i++) loop.turn(0, 80, 16);
    assert.equal(loop.meter.lagMs, 80);
    assert.equal(loop.meter.cpuShare, 0.16);
  });

  it('is what the pool of threads keeps waiting, also before it is known how long', () => {
    const loop = new Loop();
    for (let i = 0; i < 5; i++) loop.turn(0, 0);
    loop.isPoolStuck = true;
    loop.turn(0, 0);
    assert.equal(loop.meter.turnMs, 0);
    for (let i = 0; i < 10; i++) loop.turn(0, 0);
    assert.ok(loop.meter.turnMs >= 180, `${loop.meter.turnMs}`);
    assert.ok(loop.meter.lagMs >= 100, `${loop.meter.lagMs}`);
    loop.isPoolStuck = false;
    loop.freePool();
    loop.turn(0, 0);
    loop.turn(0, 0);
    assert.equal(loop.meter.lagMs, 0);
  });

  it('looks seldom while there is little to do, and often from the first turn that takes long', () => {
    const loop = new Loop();
    loop.turn(0, 0);
    assert.equal(loop.delayMs, 100);
    loop.turn(0, 5);
    assert.equal(loop.delayMs, 20);
    for (let i = 0; i < 8; i++) loop.turn(0, 0);
    assert.equal(loop.delayMs, 100);
  });

  it('weighs memory twice a second, and tells whoever watches of every measurement', () => {
    const loop = new Loop();
    let told = 0;
    loop.meter.watch(() => told++);
    for (let i = 0; i < 50; i++) loop.turn(0, 0);
    assert.equal(told, 50);
    assert.equal(loop.asked, 10);
    assert.deepEqual([loop.meter.heapShare, loop.meter.residentBytes], [0.1, 5000]);
    assert.equal(loop.meter.residentLimitBytes, 20_000);
  });
});
