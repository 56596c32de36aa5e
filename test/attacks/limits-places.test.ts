import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CounterState, SlotRule, Waiter } from '../../src/contract/index.ts';
import { RedisServer } from '../fixtures/redis-server.ts';
import { storeWorld } from '../fixtures/store-world.ts';

const TIMEOUT_MS = 150;
const RULE: SlotRule = { limit: 1, queue: 1, waitMs: 20_000, priority: 'normal', onLoss: 'local' };

describe('a client that goes away while the store is asked for a place, and the store is lost', () => {
  it('waits for none, and keeps nobody else from waiting', async () => {
    const server = await RedisServer.start();
    const world = await storeWorld(server.url, { timeoutMs: TIMEOUT_MS });
    try {
      server.pause();
      const acquire = (waiter: Waiter): ReturnType<CounterState['acquire']> =>
        world.state.acquire('s', 'k', RULE, Date.now(), waiter);
      // Both ask the store before either knows that it is lost; the first then has this node's own place.
      const first = acquire({});
      const gone: Waiter = {};
      const answer = acquire(gone);
      assert.ok(answer instanceof Promise && gone.cancel !== undefined);
      gone.cancel();
      assert.equal((await first).granted, true);
      const told = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 2000, 'waits'))]);
      assert.deepEqual(told, { granted: false, why: 'cancelled', held: 0 });
    } finally {
      server.resume();
      await world.close();
      await server.stop();
    }
  });
});
