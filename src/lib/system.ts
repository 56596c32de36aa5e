import { randomFillSync } from 'node:crypto';

/** Time of this machine. */
export const systemClock = Object.freeze({
  now: (): number => Date.now(),
  monotonic: (): number => performance.now(),
});

const POOL_BYTES = 8192;

/** Cryptographic randomness, drawn from the system some kilobytes at a time: several ids are made per request. */
export function createSystemRandom(): { hex(bytes: number): string } {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  return {
    hex(bytes) {
      if (bytes > POOL_BYTES) throw new RangeError(`at most ${POOL_BYTES} bytes at once`);
      if (used + bytes > POOL_BYTES) {
        randomFillSync(pool);
        used = 0;
      }
      const text = pool.toString('hex', used, used + bytes);
      used += bytes;
      return text;
    },
  };
}
