/** What lies in the store is out of reach while the store is: neither is anybody let go for it, nor shut out unasked. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Policy } from '../../src/contract/index.ts';
import { parseIpAddress } from '../../src/lib/ip-address.ts';
import { autoBan } from '../../src/policies/auto-ban/policy.ts';
import type { AutoBanConfig } from '../../src/policies/auto-ban/schema.ts';
import { CurrentBans } from '../../src/state/index.ts';
import { CONFIG, GUESS, Stage } from '../fixtures/adaptive/stage.ts';
import { compileDeps, policyContext } from '../fixtures/policy-context.ts';
import { eventually } from '../fixtures/process.ts';
import { CutWay, RedisServer } from '../fixtures/redis-server.ts';
import { type StoreWorld, storeWorld } from '../fixtures/store-world.ts';

const TIMEOUT_MS = 500;
const CLIENT = parseIpAddress('192.0.2.1');
const BAN: AutoBanConfig = { after: 4, window: '5m', for: ['failed-authentication'], ban: '10m' };

describe('a store that is lost in the middle', () => {
  let server: RedisServer;
  let way: CutWay;
  let world: StoreWorld;
  beforeEach(async () => {
    server = await RedisServer.start();
    way = await CutWay.to(server.port);
    world = await storeWorld(`redis://127.0.0.1:${way.port}`, { timeoutMs: TIMEOUT_MS });
  });
  afterEach(async () => {
    await world.close();
    await way.close();
    await server.stop();
  });

  /** It goes on, with all that it knows; nobody comes there. */
  const lose = async (): Promise<void> => {
    way.isDead = true;
    way.cut();
    await isLost();
  };
  const isLost = () => eventually(async () => world.events.at(-1) === 'state-lost');
  const find = async (): Promise<void> => {
    way.isDead = false;
    await isBack();
  };
  const isBack = () => eventually(async () => world.events.at(-1) === 'state-recovered', 8000);

  async function banning(onStateLoss: 'local' | 'open') {
    const bans = new CurrentBans({ report: () => {} });
    const policy: Policy = await autoBan.compile({ ...BAN, onStateLoss }, compileDeps());
    const reject = async (times: number): Promise<string[]> => {
      const notices: string[] = [];
      for (let n = 0; n < times; n++) {
        const c = policyContext({ state: world.state, bans });
        await policy.request?.(c);
        await c.end(GUESS);
        notices.push(...c.notices);
      }
      return notices;
    };
    const isBanned = (): boolean =>
      CLIENT !== undefined && bans.find(CLIENT, policyContext().now) !== undefined;
    return { reject, isBanned };
  }

  it('by auto-ban: local counts from none, and what came here does not come to the store', async () => {
    const { reject, isBanned } = await banning('local');
    assert.deepEqual(await reject(1), []);
    await lose();
    assert.deepEqual(await reject(3), Array(3).fill('state-lost'));
    assert.equal(isBanned(), false);
    await find();
    assert.deepEqual(await reject(2), []);
    assert.equal(isBanned(), false);
    await lose();
    assert.deepEqual(await reject(1), ['state-lost', 'ban-imposed']);
    assert.equal(isBanned(), true);
  });

  it('by auto-ban: open bans nobody meanwhile, and goes on counting where it was', async () => {
    const { reject, isBanned } = await banning('open');
    await reject(3);
    await lose();
    assert.deepEqual(await reject(20), Array(20).fill('state-lost'));
    assert.equal(isBanned(), false);
    await find();
    assert.deepEqual(await reject(1), ['ban-imposed']);
    assert.equal(isBanned(), true);
  });

  for (const [onStateLoss, limit] of [
    ['local', 5],
    ['open', 100],
  ] as const)
    it(`by adaptive-limit: ${onStateLoss} gives who was tightened a limit of ${limit} meanwhile`, async () => {
      const stage = await Stage.of({ ...CONFIG, onStateLoss }, world.state);
      await stage.misbehave(40, GUESS);
      assert.equal(await stage.limit(), 5);
      await lose();
      assert.equal(await stage.limit(), limit);
      assert.deepEqual((await stage.ask()).context.notices, ['state-lost']);
      await find();
      assert.equal(await stage.limit(), 5);
      assert.deepEqual((await stage.ask()).context.notices, []);
    });

  it('by adaptive-limit: closed lets nobody on who cannot be judged', async () => {
    const stage = await Stage.of({ ...CONFIG, onStateLoss: 'closed' }, world.state);
    const { context } = await stage.ask();
    await server.kill();
    await isLost();
    await context.end(GUESS);
    assert.deepEqual(context.notices, ['state-lost']);
    for (const client of ['192.0.2.1', '192.0.2.2']) {
      const { decision, context } = await stage.ask({ client });
      assert.ok(decision.kind === 'reject');
      assert.equal(decision.error.code, 'limits-unavailable');
      assert.deepEqual(context.notices, ['state-lost']);
    }
    await server.run();
    await isBack();
    stage.nowMs += 101;
    assert.equal((await stage.ask()).decision.kind, 'continue');
  });
});
