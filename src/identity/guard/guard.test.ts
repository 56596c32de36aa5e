import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { remote } from '../../../test/fixtures/nobody-there.ts';
import { DEFAULT_NOW_MS, ipv4, policyContext } from '../../../test/fixtures/policy-context.ts';
import type { CounterState, Decision, LimitOutcome, PolicyContext } from '../../contract/index.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { createLocalCounters } from '../../state/index.ts';
import { credentialGuard, type GuardRules, NAME_FACTOR } from './guard.ts';

const RULES: GuardRules = {
  failures: 5,
  windowMs: 10_000,
  banAfter: 12,
  banWindowMs: 60_000,
  banMs: 300_000,
};
const SLOW_SECONDS = 2;

interface Caller {
  readonly client?: string;
  readonly shadow?: boolean;
}

describe('the credential guard', () => {
  let state: CounterState;
  let nowMs: number;
  const guard = credentialGuard(RULES);
  beforeEach(() => {
    state = createLocalCounters();
    nowMs = DEFAULT_NOW_MS;
  });
  const from = ({ client = '192.0.2.1', ...more }: Caller = {}): PolicyContext =>
    policyContext({ client: parseIpAddress(client) ?? ipv4(client), state, nowMs, ...more });
  const fail = async (times: number, caller?: Caller, name?: string) => {
    for (let i = 0; i < times; i++) await guard.failed(from(caller), name);
  };
  /** Seconds until the next try, 0 for now. */
  const waits = async (caller?: Caller, name?: string): Promise<number> => {
    const refused = await guard.check(from(caller), name);
    if (refused === undefined) return 0;
    assert.ok(refused.kind === 'reject');
    assert.equal(refused.error.code, 'too-many-failures');
    assert.equal(refused.error.status, 429);
    const [field, seconds] = refused.error.headers;
    assert.equal(field, 'Retry-After');
    return Number(seconds);
  };
  /** Guesses as fast as the guard lets on, for so long; how many got through. */
  const guess = async (forMs: number, client: () => string, name?: string): Promise<number> => {
    let guesses = 0;
    for (const end = nowMs + forMs; nowMs < end; nowMs += 250) {
      const caller = { client: client() };
      if ((await waits(caller, name)) > 0) continue;
      await fail(1, caller, name);
      guesses++;
    }
    return guesses;
  };

  it('slows down whoever goes on after the free failures, right or wrong alike', async () => {
    await fail(5);
    assert.equal(await waits(), 0);
    await fail(1);
    assert.equal(await waits(), SLOW_SECONDS);
    nowMs += SLOW_SECONDS * 1000 - 1;
    assert.equal(await waits(), 1);
    nowMs += 1;
    assert.equal(await waits(), 0);
  });

  it('bans for the whole time, however many guesses were under way together', async () => {
    await fail(200);
    assert.equal(await waits(), 300);
    nowMs += RULES.banMs - 1;
    assert.equal(await waits(), 1);
    nowMs += 1;
    assert.equal(await waits(), 0);
  });

  it('holds one who never rests to its numbers', async () => {
    // 17 within 24 s, then a ban of 300 s; without the guard it were 14,400 an hour.
    const guesses = await guess(3_600_000, () => '192.0.2.1');
    assert.ok(guesses <= 17 * Math.ceil(3600 / 324), `${guesses}`);
  });

  it('does not hold others up', async () => {
    await fail(200, {}, 'ann');
    assert.equal(await waits({ client: '192.0.2.2' }), 0);
    assert.equal(await waits({ client: '192.0.2.2' }, 'ben'), 0);
  });

  it('takes one subscriber’s /64 for one address, and the next for another', async () => {
    let n = 0;
    await guess(20_000, () => `2001:db8::${(++n).toString(16)}`);
    assert.ok((await waits({ client: '2001:db8::ffff' })) > 0);
    assert.equal(await waits({ client: '2001:db8:0:1::1' }), 0);
  });

  it('takes an IPv4-mapped address for the IPv4 one', async () => {
    await fail(200, { client: '::ffff:192.0.2.1' });
    assert.equal(await waits({ client: '192.0.2.1' }), 300);
  });

  it('one guesser cannot lock a consumer out for others', async () => {
    await guess(1_200_000, () => '192.0.2.1', 'ann');
    assert.ok((await waits()) > 0);
    assert.equal(await waits({ client: '192.0.2.2' }, 'ann'), 0);
  });

  it('a name that is guessed at from everywhere is refused everywhere', async () => {
    let n = 0;
    const guesses = await guess(600_000, () => `10.0.${++n >> 8}.${n & 255}`, 'ann');
    // Ten times an address's burst, and what drains of it meanwhile, twice: without the guard it were 2,400.
    assert.ok(guesses <= RULES.banAfter * NAME_FACTOR * 2 * 2, `${guesses}`);
    assert.ok((await waits({ client: '192.0.2.7' }, 'ann')) > 0);
    assert.equal(await waits({ client: '192.0.2.7' }, 'ben'), 0);
  });

  it('a name is no address', async () => {
    await fail(500, { client: '192.0.2.1' }, '192.0.2.9');
    assert.equal(await waits({ client: '192.0.2.9' }), 0);
  });

  it('what is counted in shadow refuses in shadow only', async () => {
    await fail(200, { shadow: true });
    assert.equal(await waits(), 0);
    assert.equal(await waits({ shadow: true }), 300);
  });

  it('a check counts nothing, and is synchronous with counters that are', () => {
    for (let i = 0; i < 1000; i++) assert.equal(guard.check(from(), 'ann'), undefined);
  });

  it('waits for counters that are elsewhere', async () => {
    state = remote(state);
    await fail(200, { client: '192.0.2.1' }, 'ann');
    const pending = guard.check(from(), 'ann');
    assert.ok(pending instanceof Promise);
    assert.equal((await pending)?.kind, 'reject');
    await fail(2000, { client: '192.0.2.3' }, 'ann');
    assert.ok((await waits({ client: '192.0.2.4' }, 'ann')) > 0);
  });

  it('slows down at once where the table of counters has no room to count guesses, and bans nobody for that', async () => {
    for (const noRoomFor of ['stop', 'slow']) {
      const local = createLocalCounters();
      const full: LimitOutcome = { allowed: false, remaining: 0, retryAfterMs: 9, resetMs: 9, full: true };
      state = {
        ...remote(local),
        gcra: (scope, ...use) => (scope.includes(noRoomFor) ? full : local.gcra(scope, ...use)),
      };
      await fail(1);
      assert.equal(await waits(), SLOW_SECONDS);
      nowMs += SLOW_SECONDS * 1000;
      assert.equal(await waits(), 0);
    }
  });

  it('says nothing of names and counts to the caller', async () => {
    await fail(2000, {}, 'ann');
    const refused: Decision | undefined = await guard.check(from(), 'ann');
    assert.ok(refused?.kind === 'reject');
    assert.doesNotMatch(refused.error.detail, /ann|[0-9]/);
  });

  it('bears the longest times a document may ask for', async () => {
    const day = 86_400_000;
    const slowest = credentialGuard({
      failures: 1,
      windowMs: 24 * day,
      banAfter: 1,
      banWindowMs: 24 * day,
      banMs: 24 * day,
    });
    await slowest.failed(from());
    assert.equal(await slowest.check(from()), undefined);
    await slowest.failed(from());
    const refused = await slowest.check(from());
    assert.ok(refused?.kind === 'reject');
    assert.deepEqual(refused.error.headers, ['Retry-After', String((24 * day) / 1000)]);
  });
});
