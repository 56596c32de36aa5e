import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Charge, LimitOutcome } from '../../contract/index.ts';
import { Lease, leaseMs, type Share } from './lease.ts';

const WINDOW_MS = 1000;
const LEASE_MS = 100;
const charge: Charge = {
  kind: 'gcra',
  scope: 's',
  key: 'k',
  cost: 1,
  rule: { limit: 100, windowMs: WINDOW_MS, burst: 100 },
};
const outcome = (more: Partial<LimitOutcome> = {}): LimitOutcome => ({
  allowed: true,
  remaining: 50,
  retryAfterMs: 0,
  resetMs: 500,
  ...more,
});
const share = (credits: number, takenAtMs: number): Share => ({
  credits,
  chargedAtMs: takenAtMs,
  lapsesAtMs: takenAtMs + LEASE_MS,
  charge,
});

describe('a lease', () => {
  const lengths: readonly (readonly [windowMs: number, leaseMs: number])[] = [
    [1, 1],
    [10, 1],
    [1000, 100],
    [10_000, 1000],
    [86_400_000, 1000],
  ];
  for (const [windowMs, expected] of lengths) {
    it(`of a window of ${windowMs} ms lasts ${expected} ms`, () => assert.equal(leaseMs(windowMs), expected));
  }

  it('has nothing to spend before a share is taken, and no more than was', () => {
    const lease = new Lease(WINDOW_MS, 0);
    const lapsed: Share[] = [];
    assert.equal(lease.spend(1, 0, lapsed), false);
    lease.take(share(3, 0), outcome(), 0);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => lease.spend(1, 1, lapsed)),
      [true, true, true, false],
    );
    assert.deepEqual(lapsed, []);
  });

  it('spends nothing from the moment a share lapses, and gives it back', () => {
    const lease = new Lease(WINDOW_MS, 0);
    const lapsed: Share[] = [];
    lease.take(share(3, 0), outcome(), 0);
    assert.equal(lease.spend(1, LEASE_MS - 0.1, lapsed), true);
    assert.equal(lease.spend(1, LEASE_MS, lapsed), false);
    assert.deepEqual(
      lapsed.map(({ credits }) => credits),
      [2],
    );
  });

  it('gives back what lapses while nobody comes, and is then forgotten', () => {
    const lease = new Lease(WINDOW_MS, 0);
    const lapsed: Share[] = [];
    lease.take(share(3, 0), outcome(), 0);
    assert.equal(lease.sweep(LEASE_MS - 1, lapsed), false);
    assert.equal(lease.sweep(3 * LEASE_MS, lapsed), true);
    assert.deepEqual(
      lapsed.map(({ credits }) => credits),
      [3],
    );
  });

  it('spends a cost across two shares, and never of a third', () => {
    const lease = new Lease(WINDOW_MS, 0);
    const lapsed: Share[] = [];
    assert.equal(lease.take(share(2, 0), outcome(), 0), true);
    assert.equal(lease.take(share(2, 10), outcome(), 10), true);
    assert.equal(lease.take(share(2, 20), outcome(), 20), false);
    assert.equal(lease.spend(5, 30, lapsed), false);
    assert.equal(lease.spend(3, 30, lapsed), true);
    assert.equal(lease.spend(1, 30, lapsed), true);
    assert.equal(lease.spend(1, 30, lapsed), false);
  });

  it('grows with demand, no faster than twofold, and shrinks again', () => {
    const lease = new Lease(WINDOW_MS, 0);
    const sizes: number[] = [];
    for (let round = 1; round <= 6; round++) {
      lease.count(1000);
      sizes.push(lease.sizeNow(round));
    }
    assert.deepEqual(sizes, [2, 4, 8, 16, 32, 64]);
    lease.sizeNow(LEASE_MS * 2);
    lease.count(1);
    assert.ok(lease.sizeNow(LEASE_MS * 4) <= 1);
  });

  it('repeats a refusal for that cost only, and no longer than it holds', () => {
    const lease = new Lease(WINDOW_MS, 0);
    const refusal = outcome({ allowed: false, remaining: 0, retryAfterMs: 30, resetMs: 200 });
    lease.refuse(refusal, 2, 0);
    assert.equal(lease.refusal(1, 10), undefined);
    assert.deepEqual(lease.refusal(2, 10), { ...refusal, retryAfterMs: 20, resetMs: 190 });
    assert.equal(lease.refusal(2, 30), undefined);
    lease.refuse(outcome({ allowed: false, retryAfterMs: 5000 }), 2, 0);
    assert.ok(lease.refusal(2, LEASE_MS - 1));
    assert.equal(lease.refusal(2, LEASE_MS), undefined);
  });
});
