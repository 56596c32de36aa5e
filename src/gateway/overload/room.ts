/** However long each takes. */
const LEAST = 4;
/** Of what is served in the time it is held to, so much may always be here: no bad luck closes the gate. */
const LEAST_PART = 0.6;
/** What it begins with, of the same: that was measured in little time, and while the loop was late. */
const BEGIN_PARTS = 2;
/** So it shrinks and grows with each measurement, by the last of the two where the loop is far from late. */
const DOWN = 0.93;
const UP = 1.02;
const UP_FAST = 1.15;
/** Weight of the latest turn, and the most that it counts: a pause says nothing about how many are here. */
const LATEST = 0.2;
const MOST_PARTS = 4;

/**
 * How many requests may be here at one time: let on in this turn of the loop, or waiting for what policies ask (the pool
 * of threads, mostly). What is here is what the next one waits for (Little's law), so this bounds the time of each that
 * is let on, however many come at once.
 */
export class Room {
  #size = Number.POSITIVE_INFINITY;
  #part = 0;

  /** Without an end while nobody is refused. */
  get size(): number {
    return this.#size;
  }

  /** Whether the loop has been later than it is held to. */
  get isTight(): boolean {
    return this.#part > 1;
  }

  open(): void {
    this.#size = Number.POSITIVE_INFINITY;
  }

  /** `served`: what is served in the time the loop is held to. */
  begin(served: number): void {
    this.#size = Math.max(LEAST, served * BEGIN_PARTS);
    this.#part = 0;
  }

  /** `part`: how late the loop is, where 1 is what it is held to. */
  follow(part: number, served: number, wasFull: boolean): void {
    this.#part += LATEST * (Math.min(part, MOST_PARTS) - this.#part);
    if (this.isTight) this.#size *= DOWN;
    // As long as it is never full, more would be no more.
    else if (wasFull) this.#size *= this.#part < 0.5 ? UP_FAST : UP;
    this.#size = Math.max(LEAST, served * LEAST_PART, this.#size);
  }
}
