import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../../../test/fixtures/process.ts';
import { RedisServer } from '../../../test/fixtures/redis-server.ts';
import { storeWorld } from '../../../test/fixtures/store-world.ts';
import type { Charge, QuotaRule } from '../../contract/index.ts';

const DAY_MS = 86_400_000;

/** As the policy names it before and after its limit is changed in the document. */
function quotaOf(limit: number, counting: QuotaRule['counting'], nowMs: number): Charge {
  const startMs = nowMs - DAY_MS / 2;
  const rule: QuotaRule = { limit, startMs, endMs: startMs + DAY_MS, carryOver: 0, counting };
  return { kind: 'quota', scope: 'route:orders/quota own 1d by consumer', key: 'ann', cost: 1, rule };
}

describe('a quota in a store whose limit is raised', () => {
  for (const counting of ['exact', 'leased'] as const) {
    it(`admits the difference, on every node, and no more: ${counting}`, async () => {
      const server = await RedisServer.start();
      const worlds = [
        await storeWorld(server.url, { prefix: 'raised' }),
        await storeWorld(server.url, { prefix: 'raised' }),
      ];
      const [one, other] = worlds;
      const nowMs = Date.now();
      const isAllowed = async ({ state }: typeof one, limit: number): Promise<boolean> => {
        const [{ allowed, lost }] = await state.charge([quotaOf(limit, counting, nowMs)], Date.now());
        assert.equal(lost, undefined);
        return allowed;
      };
      try {
        for (let i = 0; i < 3; i++) assert.equal(await isAllowed(one, 3), true);
        assert.equal(await isAllowed(other, 3), false);
        assert.equal(await isAllowed(one, 3), false);
        // Who leases remembers a refusal for as long as a lease.
        for (const node of [other, one]) {
          if (counting === 'exact') assert.equal(await isAllowed(node, 5), true);
          else await eventually(() => isAllowed(node, 5));
        }
        assert.equal(await isAllowed(other, 5), false);
        assert.equal(await isAllowed(one, 5), false);
      } finally {
        for (const { close } of worlds) await close();
        await server.stop();
      }
    });
  }
});
