/** CHECKLIST 48: what several processes on one store are admitted together stays within what docs/state.md states. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Charge } from '../../src/contract/index.ts';
import { eventually, ROOT } from '../fixtures/process.ts';
import { RedisServer } from '../fixtures/redis-server.ts';
import type { Admission, CallerOrder } from '../fixtures/store-caller.ts';
import { storeWorld } from '../fixtures/store-world.ts';

const PROCESSES = 4;
const FOR_MS = 3000;
const LIMIT = 500;
const WINDOW_MS = 1000;
const BURST = 100;
/** As docs/state.md states it: limit × min(1 s, window / 10) / window. */
const OVERSHOOT = Math.ceil((LIMIT * Math.min(1000, WINDOW_MS / 10)) / WINDOW_MS);

const gcra = { limit: LIMIT, windowMs: WINDOW_MS, burst: BURST };
/** Longer than the test. */
const startMs = Date.now() - 60_000;
const day = { limit: 2 * LIMIT, startMs, endMs: startMs + 86_400_000 };
const leased = 'leased' as const;
const charges: readonly Charge[] = [
  { kind: 'gcra', scope: 'exact', key: 'k', cost: 1, rule: gcra },
  { kind: 'gcra', scope: 'leased', key: 'k', cost: 1, rule: { ...gcra, counting: leased } },
  { kind: 'fixed-window', scope: 'exact day', key: 'k', cost: 1, rule: day },
  { kind: 'fixed-window', scope: 'leased day', key: 'k', cost: 1, rule: { ...day, counting: leased } },
];

const program = path.join(ROOT, 'test/fixtures/store-caller.ts');

async function tell(child: ChildProcess, order: CallerOrder): Promise<unknown> {
  const answered = once(child, 'message');
  child.send(order);
  const [answer] = await answered;
  return answer;
}

/** Most that was surely admitted within any stretch of a window. */
function mostWithin(admitted: readonly Admission[], windowMs: number): number {
  const byEnd = admitted.toSorted((a, b) => a.toMs - b.toMs);
  let most = 0;
  for (const { fromMs } of admitted) {
    const inside = byEnd.filter((one) => one.fromMs >= fromMs && one.toMs <= fromMs + windowMs);
    most = Math.max(most, inside.length);
  }
  return most;
}

describe('several processes on one store', () => {
  let server: RedisServer;
  const children: ChildProcess[] = [];
  before(async () => {
    server = await RedisServer.start();
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await server.stop();
  });
  const start = (): ChildProcess => {
    const child = fork(program);
    children.push(child);
    return child;
  };

  it('are admitted no more than the limit exactly, and no more than the stated bound from shares', async () => {
    const order: CallerOrder = { url: server.url, prefix: 'p', kind: 'call', charges, forMs: FOR_MS };
    const answers = await Promise.all(Array.from({ length: PROCESSES }, () => tell(start(), order)));
    const all = answers.flatMap((answer): readonly Admission[] => (Array.isArray(answer) ? answer : []));
    const [exact, fromShares, exactDay, daysShares] = charges.map((_, place) =>
      all.filter(({ charge }) => charge === place),
    );
    for (const answer of answers) assert.ok(Array.isArray(answer) && answer.length > 0, 'each was admitted');
    const total = (LIMIT * FOR_MS) / WINDOW_MS;
    assert.ok(mostWithin(exact, WINDOW_MS) <= LIMIT + BURST);
    assert.ok(exact.length >= total * 0.9, `exact: ${exact.length}`);
    assert.ok(mostWithin(fromShares, WINDOW_MS) <= LIMIT + BURST + OVERSHOOT);
    assert.ok(fromShares.length >= total * 0.7, `from shares: ${fromShares.length}`);
    assert.equal(exactDay.length, day.limit);
    assert.ok(daysShares.length <= day.limit && daysShares.length >= day.limit * 0.9, `${daysShares.length}`);
  });

  it('give the places of one that dies to the others within a few seconds', async () => {
    const child = start();
    const order: CallerOrder = { url: server.url, prefix: 'h', kind: 'hold', charges: [], forMs: 0 };
    assert.equal(await tell(child, order), 3);
    const { state, close } = await storeWorld(server.url, { prefix: 'h' });
    const rule = { limit: 3, queue: 0, waitMs: 0, priority: 'normal' } as const;
    const isGranted = async () => (await state.acquire('s', 'k', rule, Date.now(), {})).granted;
    assert.equal(await isGranted(), false);
    const diedMs = performance.now();
    child.kill('SIGKILL');
    await eventually(isGranted, 5000);
    assert.ok(performance.now() - diedMs < 4000);
    await close();
  });
});
