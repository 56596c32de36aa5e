import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import type { HealthSettings } from './settings.ts';

const SETTINGS: HealthSettings = {
  tolerance: 1.5,
  min: 4,
  max: 1000,
  lagMs: 50,
  shares: { critical: 1, high: 0.95, normal: 0.85, low: 0.6 },
};

/** A limit that is always used up, round by round. */
class Rounds {
  readonly limit = new ConcurrencyLimit(SETTINGS, 0);
  nowMs = 0;

  /** A whole round: as many as may be under way come, and end so after `latencyMs`. */
  round(latencyMs: number, end: 'answered' | 'failed' | 'abandoned' = 'answered', lagMs = 0): number {
    const { limit } = this;
    const count = limit.roomFor('critical');
    const cameMs = this.nowMs;
    for (let i = 0; i < count; i++) limit.enter();
    this.nowMs += Math.max(latencyMs, 100);
    for (let i = 0; i < count; i++) limit.leave();
    for (let i = 0; i < Math.max(count, 10); i++) {
      if (end === 'failed') limit.failed(cameMs, this.nowMs, lagMs);
      else limit[end](latencyMs, cameMs, this.nowMs, lagMs);
    }
    return limit.limit;
  }

  rounds(count: number, latencyMs: number, end?: 'answered' | 'failed' | 'abandoned', lagMs?: number) {
    for (let i = 0; i < count; i++) this.round(latencyMs, end, lagMs);
    return this.limit.limit;
  }
}

describe('the concurrency of a route', () => {
  it('grows as long as latency stays, up to the most', () => {
    const rounds = new Rounds();
    assert.ok(rounds.rounds(5, 50) > 140);
    assert.equal(rounds.rounds(100, 50), 1000);
  });

  it('falls when latency rises, by half a round at most, never under the least', () => {
    const rounds = new Rounds();
    rounds.rounds(5, 50);
    const before = rounds.limit.limit;
    const after = rounds.round(1000);
    assert.ok(after < before * 0.65 && after >= before / 2, `${before} ${after}`);
  });

  it('never falls under the least', () => {
    const rounds = new Rounds();
    rounds.rounds(5, 50);
    assert.equal(rounds.rounds(200, 50, 'answered', 1000), SETTINGS.min);
  });

  for (const [what, end, lagMs] of [
    ['the upstream fails', 'failed', 0],
    ['our own event loop is late', 'answered', 60],
  ] as const)
    it(`falls when ${what}, whatever the latency`, () => {
      const rounds = new Rounds();
      rounds.rounds(5, 50);
      const before = rounds.limit.limit;
      assert.ok(rounds.rounds(3, 50, end, lagMs) < before * 0.8);
    });

  it('does not fall for failures that are usual', () => {
    const rounds = new Rounds();
    rounds.rounds(200, 50, 'failed');
    const before = rounds.limit.limit;
    assert.equal(before, SETTINGS.min);
    rounds.rounds(20, 50);
    assert.ok(rounds.limit.limit > before);
  });

  it('does not move for callers that go away early, whoever makes many of them', () => {
    const rounds = new Rounds();
    rounds.rounds(5, 50);
    const before = rounds.limit.limit;
    assert.equal(rounds.rounds(20, 1, 'abandoned'), before);
    assert.equal(rounds.limit.quietMs, 50);
  });

  it('falls when most clients go away before an answer, and takes their patience for no latency', () => {
    const rounds = new Rounds();
    rounds.rounds(5, 50);
    assert.ok(rounds.rounds(60, 1000, 'abandoned') <= 10);
    assert.equal(rounds.limit.quietMs, 50);
  });

  it('a few slow requests do not move it', () => {
    const { limit } = new Rounds();
    const rounds = new Rounds();
    rounds.rounds(5, 50);
    for (let i = 0; i < 100; i++) limit.enter();
    for (let i = 0; i < 100; i++) limit.answered(i % 3 === 0 ? 30_000 : 50, 0, 200, 0);
    assert.ok(limit.limit >= 100);
  });

  it('learns that the service is slower now, though it was never without a queue since', () => {
    const rounds = new Rounds();
    rounds.rounds(5, 50);
    rounds.rounds(60, 200);
    assert.equal(rounds.limit.quietMs, 200);
    assert.ok(rounds.limit.limit > 50);
  });

  it('is not felt, does not grow: an idle route keeps no room it never needed', () => {
    const limit = new ConcurrencyLimit(SETTINGS, 0);
    for (let nowMs = 100; nowMs < 20_000; nowMs += 10) {
      limit.enter();
      limit.leave();
      limit.answered(5, nowMs, nowMs, 0);
    }
    assert.equal(limit.limit, 100);
  });

  it('what came before a change says nothing of it', () => {
    const rounds = new Rounds();
    rounds.rounds(5, 50);
    const before = rounds.limit.limit;
    for (let i = 0; i < 1000; i++) rounds.limit.answered(5000, 0, rounds.nowMs + 1000, 0);
    assert.equal(rounds.limit.limit, before);
  });

  it('leaves a place to each priority, however small it is', () => {
    const rounds = new Rounds();
    rounds.rounds(5, 50);
    rounds.rounds(200, 50, 'answered', 1000);
    assert.deepEqual(
      (['critical', 'high', 'normal', 'low'] as const).map((priority) => rounds.limit.roomFor(priority)),
      [4, 4, 4, 3],
    );
  });
});
