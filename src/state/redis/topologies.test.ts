import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { AUTHORITY, LOCAL } from '../../../test/fixtures/certificates.ts';
import { freePort } from '../../../test/fixtures/gateway.ts';
import { eventually, temporaryFolder } from '../../../test/fixtures/process.ts';
import { RedisServer, startCluster, startSentinels } from '../../../test/fixtures/redis-server.ts';
import { storeWorld } from '../../../test/fixtures/store-world.ts';
import type { Charge } from '../../contract/index.ts';
import { createSystemRandom, systemClock } from '../../lib/system.ts';
import { createMeter } from '../../observability/index.ts';
import { slotOf } from './cluster-slot.ts';
import { openQuotas } from './open-quotas.ts';
import { parseStoreAddress } from './store-settings.ts';

const HOUR_MS = 3_600_000;
const RULE = { limit: 10, windowMs: 3_600_000, burst: 10 };
const charge = (scope: string, key: string, limit = 10): Charge => ({
  kind: 'gcra',
  scope,
  key,
  cost: 1,
  rule: { ...RULE, limit, burst: limit },
});

describe('a store over TLS', () => {
  it('counts where its certificate is signed by what is trusted, and is lost where it is not', async () => {
    const folder = await temporaryFolder();
    const files = { cert: path.join(folder.path, 'crt'), key: path.join(folder.path, 'key') };
    await writeFile(files.cert, LOCAL.cert);
    await writeFile(files.key, LOCAL.key);
    const port = await freePort();
    const tls = ['--tls-port', `${port}`, '--tls-cert-file', files.cert, '--tls-key-file', files.key];
    const server = await RedisServer.start([...tls, '--tls-auth-clients', 'no']);
    const outcomes = [];
    for (const ca of [AUTHORITY, undefined]) {
      const world = await storeWorld(`rediss://127.0.0.1:${port}`, { ca });
      outcomes.push((await world.state.gcra('s', 'k', RULE, 1, Date.now())).lost);
      await world.close();
    }
    assert.deepEqual(outcomes, [undefined, true]);
    await server.stop();
    await folder.remove();
  });
});

describe('a store behind sentinels', () => {
  it('that fails over counts on by itself, with what was replicated', async () => {
    const fleet = await startSentinels();
    const { state, events, close } = await storeWorld(fleet.url, { timeoutMs: 200 });
    try {
      const ask = async () => await state.gcra('s', 'k', RULE, 1, Date.now());
      assert.equal((await ask()).remaining, 9);
      await fleet.replicated();
      fleet.primary.pause();
      await eventually(async () => (await ask()).lost === true);
      await eventually(async () => (await ask()).lost === undefined, 30_000);
      // The replica had the first one, and what was counted locally meanwhile stays with this node.
      assert.ok((await ask()).remaining <= 8);
      assert.deepEqual(events, ['state-lost', 'state-recovered']);
    } finally {
      fleet.primary.resume();
      await close();
      await fleet.stop();
    }
  });
});

describe('a cluster', () => {
  const slots: readonly (readonly [tag: string, slot: number])[] = [
    ['123456789', 0x31c3],
    ['', 0],
    ['foo', 12182],
  ];
  for (const [tag, slot] of slots) {
    it(`has slot ${slot} for "${tag}"`, () => assert.equal(slotOf(tag), slot));
  }

  it('charges callers all over it, several counters all or none, and loses only what lies on a node that is gone', async () => {
    const fleet = await startCluster();
    const { state, events, close } = await storeWorld(fleet.url, { timeoutMs: 300 });
    try {
      const keys = Array.from({ length: 60 }, (_, i) => `caller ${i}`);
      for (const key of keys) {
        assert.equal(
          (await state.charge([charge('a x', key), charge('a y', key)], Date.now()))[1].remaining,
          9,
        );
      }
      const sizes = await Promise.all(fleet.nodes.map((node) => node.ask('DBSIZE')));
      assert.ok(
        sizes.every((size) => Number(size) >= 10),
        `spread: ${sizes}`,
      );
      // Of several callers, on several nodes: the one that refuses keeps all of them from being charged.
      await state.gcra('b narrow', 'z', { ...RULE, limit: 1, burst: 1 }, 1, Date.now());
      const several = [...keys.map((key) => charge('a x', key)), charge('b narrow', 'z', 1)];
      const outcomes = await state.charge(several, Date.now());
      assert.deepEqual(
        outcomes.map(({ allowed, lost }) => allowed && lost === undefined),
        several.map((_, i) => i < keys.length),
      );
      for (const key of keys) {
        // What is given back is on its way when the outcome is there.
        await eventually(async () => (await state.gcra('a x', key, RULE, 0, Date.now())).remaining === 9);
      }
      await fleet.nodes[1].kill();
      const lost = async () => {
        const all = await Promise.all(keys.map((key) => state.gcra('a x', key, RULE, 0, Date.now())));
        return all.filter((outcome) => outcome.lost === true).length;
      };
      await eventually(async () => (await lost()) > 0);
      for (let n = 0; n < 5; n++) assert.ok((await lost()) < keys.length, 'the rest counts on');
      await fleet.nodes[1].run();
      await eventually(async () => (await lost()) === 0 && events.at(-1) === 'state-recovered', 15_000);
    } finally {
      await close();
      await fleet.stop();
    }
  });

  it('tells and changes quotas all over it, and says so where some are on a node that is gone', async () => {
    const fleet = await startCluster();
    const { state, close } = await storeWorld(fleet.url, { timeoutMs: 2000, prefix: 'quotas' });
    const settings = { ...parseStoreAddress(fleet.url), prefix: 'quotas', ca: undefined };
    const shared = await openQuotas(
      { ...settings, timeoutMs: 20, node: 'n' },
      {
        clock: systemClock,
        random: createSystemRandom(),
        meter: createMeter(),
        log: { info: () => {}, warn: () => {}, error: () => {} },
      },
    );
    try {
      const startMs = Date.now() - HOUR_MS / 2;
      const rule = { limit: 100, startMs, endMs: startMs + HOUR_MS, carryOver: 0 };
      const quotas = Array.from({ length: 60 }, (_, i) => ({ scope: 'a x', key: `${i}`, lengthMs: HOUR_MS }));
      const use = async (key: string, cost: number) => {
        const [{ remaining }] = await state.charge(
          [{ kind: 'quota', scope: 'a x', key, rule, cost }],
          startMs,
        );
        return remaining;
      };
      for (const [i, { key }] of quotas.entries()) await use(key, i + 1);
      const told = async () => {
        const found = await shared.read(quotas);
        return found === 'lost' ? found : found.map((usage) => usage?.used);
      };
      const used = quotas.map((_, i) => i + 1);
      await eventually(async () => (await told()) !== 'lost');
      assert.deepEqual(await told(), used);
      for (const quota of quotas) assert.notEqual(await shared.change(quota, { kind: 'reset' }), 'lost');
      assert.deepEqual(await told(), Array(60).fill(0));
      for (const { key } of quotas) assert.equal(await use(key, 1), 99);
      await fleet.nodes[1].kill();
      assert.equal(await told(), 'lost');
      const changes = await Promise.all(quotas.map((quota) => shared.change(quota, { kind: 'reset' })));
      const lost = changes.filter((change) => change === 'lost').length;
      assert.ok(lost > 0 && lost < quotas.length, `${lost}`);
    } finally {
      shared.close();
      await close();
      await fleet.stop();
    }
  });
});
