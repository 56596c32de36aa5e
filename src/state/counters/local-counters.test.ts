import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { counterStateContract } from '../../../test/contract/state.contract.ts';
import { createLocalCounters } from './local-counters.ts';

counterStateContract('createLocalCounters', createLocalCounters);

describe('createLocalCounters', () => {
  it('remembers every live key, however many come', () => {
    const state = createLocalCounters();
    const rule = { limit: 1, windowMs: 1000, burst: 1 };
    for (const allowed of [true, false]) {
      for (let i = 0; i < 5000; i++) {
        assert.equal(state.gcra('s', `key ${i}`, rule, 1, 5_000_000 + i / 10) instanceof Promise, false);
        assert.deepEqual(state.gcra('s', `other ${i}`, rule, 1, 5_000_000), {
          allowed,
          remaining: 0,
          retryAfterMs: allowed ? 0 : 1000,
          resetMs: 1000,
        });
      }
    }
  });
});
