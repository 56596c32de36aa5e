import { InternalError } from '../../errors.ts';

const FREE = 0;
/**
 * A holder on another core is mostly gone within this many looks. More of them slowed threads down that charge eight
 * limits of one caller at once: they take the core from who holds the lock.
 */
const SPINS = 100;
/** A holder that lost its core: sleep between looks, so that it can have this one. */
const SLEEP_MS = 0.1;
/** Together about a third of a second; a live holder needs about a microsecond of its own time. */
const SLEEPS = 2500;

/**
 * Takes the lock at `locks[at]` for `owner` (not 0) by compare-and-swap. A 64-bit compare-and-swap of the whole
 * state would need no lock, but costs two BigInts each time: 62 ns against 24 ns (bench/micro/counters.ts, docs/adr/0010-counters.md).
 * Throws InternalError when the holder does not let go: undecidable, so the request is refused.
 */
export function takeLock(locks: Int32Array, at: number, owner: number): void {
  if (Atomics.compareExchange(locks, at, FREE, owner) !== FREE) waitForLock(locks, at, owner);
}

export function dropLock(locks: Int32Array, at: number): void {
  Atomics.store(locks, at, FREE);
}

/**
 * Frees every lock an owner left behind when its thread was ended from outside; there is one every `stride` words.
 * Only for threads that have ended: the lock of a living one would let two in. Returns how many there were.
 */
export function freeLocksOf(locks: Int32Array, stride: number, owner: number): number {
  let freed = 0;
  for (let at = 0; at < locks.length; at += stride) {
    if (Atomics.compareExchange(locks, at, owner, FREE) === owner) freed++;
  }
  return freed;
}

function waitForLock(locks: Int32Array, at: number, owner: number): void {
  for (let spin = 0; spin < SPINS; spin++) {
    if (Atomics.load(locks, at) === FREE && Atomics.compareExchange(locks, at, FREE, owner) === FREE) return;
  }
  for (let sleep = 0; sleep < SLEEPS; sleep++) {
    const holder = Atomics.compareExchange(locks, at, FREE, owner);
    if (holder === FREE) return;
    Atomics.wait(locks, at, holder, SLEEP_MS);
  }
  throw new InternalError('a counter stayed locked');
}
