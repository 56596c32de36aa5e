import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Compile } from 'typebox/schema';
import { CONFIG, compile, GUESS, Stage } from '../../../test/fixtures/adaptive/stage.ts';
import { limitCases } from '../../../test/fixtures/limit-cases.ts';
import { remote } from '../../../test/fixtures/nobody-there.ts';
import {
  type ContextOptions,
  DEFAULT_NOW_MS,
  identity,
  policyContext,
  type RecordedContext,
} from '../../../test/fixtures/policy-context.ts';
import { FakeWorld } from '../../../test/fixtures/resource-world.ts';
import type { CounterState, Decision } from '../../contract/index.ts';
import { ConfigError, ERRORS, type ErrorCode } from '../../errors.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { ResourcePool } from '../../outbound/index.ts';
import { attachSharedCounters, createLocalCounters, createSharedCounters } from '../../state/index.ts';
import { adaptiveLimit } from './policy.ts';
import type { AdaptiveLimitConfig } from './schema.ts';

interface Ask {
  readonly afterMs?: number;
  readonly client?: string;
  /** Requests before it that end so. */
  readonly end?: { readonly code: ErrorCode; readonly status: number; readonly times: number };
}

const cases = limitCases<AdaptiveLimitConfig, Ask>(new URL('cases.json', import.meta.url));
const schema = Compile(adaptiveLimit.schema);
const OK = { status: 200, headers: new HeaderList([]) };

describe('adaptive-limit: cases.json', () => {
  for (const { name, config, configError, requests = [] } of cases) {
    it(name, async () => {
      if (configError !== undefined) return assert.deepEqual(await issuePaths(config), configError);
      assert.ok(schema.Check(config));
      const stage = await Stage.of(config);
      assert.ok(requests.length > 0);
      for (const [i, { expect, afterMs = 0, client = '192.0.2.1', end }] of requests.entries()) {
        stage.nowMs = DEFAULT_NOW_MS + afterMs;
        if (end !== undefined) await misbehaveAside(stage, end, client);
        const { decision, context } = await stage.ask({ client });
        assert.deepEqual(pick(decision, context, Object.keys(expect)), expect, `request ${i}`);
      }
    });
  }
});

/** Requests that are let on with what is known by then, and end badly together: none of them sees the others. */
async function misbehaveAside(
  stage: Stage,
  { code, status, times }: NonNullable<Ask['end']>,
  client: string,
) {
  const first = await stage.ask({ client });
  for (let i = 1; i < times; i++) {
    const { state, nowMs } = stage;
    const context = policyContext({ client, nowMs, state: { ...state, ...uncharged(state) } });
    await stage.policy.request?.(context);
    await context.end({ code, status });
  }
  await first.context.end({ code, status });
}

/** Counters that count everything but the requests themselves, so that headers are easy to foretell. */
const uncharged = (state: CounterState): CounterState => ({
  gcra: (_scope, _key, rule) => ({ allowed: true, remaining: rule.burst, retryAfterMs: 0, resetMs: 0 }),
  slidingWindow: (...use) => state.slidingWindow(...use),
  charge: (...use) => state.charge(...use),
  refund: (...use) => state.refund(...use),
  tally: (...use) => state.tally(...use),
  acquire: (...use) => state.acquire(...use),
});

function pick(decision: Decision, context: RecordedContext, keys: readonly string[]): object {
  const all: Record<string, unknown> = { decision: decision.kind, edits: context.recorded };
  if (decision.kind === 'continue') all.rule = decision.rule;
  if (decision.kind === 'reject') {
    const { code, status, rule, reason, headers } = decision.error;
    Object.assign(all, { code, status, rule, reason, headers });
  }
  return Object.fromEntries(keys.map((key) => [key, all[key]]));
}

async function issuePaths(config: AdaptiveLimitConfig): Promise<readonly string[]> {
  if (!schema.Check(config)) return ['schema'];
  try {
    await compile(config);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.issues.map(({ path }) => path);
  }
  return [];
}

describe('what an attacker tries on adaptive-limit', () => {
  for (const [where, kept] of [
    ['in memory', (state: CounterState) => state],
    ['elsewhere', remote],
  ] as const) {
    it(`a step of its limit gives nobody a fresh burst, counted ${where}`, async () => {
      const config = { ...CONFIG, behaviour: { baseline: false } } satisfies AdaptiveLimitConfig;
      const stage = await Stage.of(config, kept(createLocalCounters()));
      const underWay = await Promise.all(Array.from({ length: 100 }, () => stage.ask()));
      for (const { context } of underWay) await context.end({ status: 404 });
      // What goes away before an answer speaks of nothing: the limit goes back step by step, and each is used up.
      const seconds = 600;
      const gone = { status: 0, code: 'client-closed-request' } as const;
      const limits = new Set<number>();
      let admitted = 0;
      for (let second = 0; second < seconds; second++) {
        limits.add(await stage.limit());
        while ((await stage.misbehave(1, gone)) === 1) admitted++;
        stage.nowMs += 899;
      }
      assert.ok(limits.size > 30 && limits.has(5) && limits.has(100), `${[...limits]}`);
      assert.ok(admitted <= (seconds * 100) / 60, `${admitted}`);
    });
  }

  it('a name that is guessed at from elsewhere keeps its limit: who failed is charged, by address', async () => {
    const stage = await Stage.of(CONFIG);
    await stage.misbehave(40, GUESS, { client: '192.0.2.66' });
    const identified = { client: '192.0.2.1', identity: identity({ consumer: 'ann' }) };
    assert.equal(await stage.limit(identified), 100);
    assert.equal(await stage.limit({ ...identified, client: '192.0.2.66' }), 100);
    assert.ok((await stage.limit({ client: '192.0.2.66' })) < 10);
  });

  it('one of those who go as one consumer without proof does not tighten it for the others', async () => {
    const stage = await Stage.of({ ...CONFIG, by: 'consumer' });
    const guest = identity({ consumer: 'guest', anonymous: true });
    await stage.misbehave(60, { status: 404 }, { client: '192.0.2.66', identity: guest });
    assert.ok((await stage.limit({ client: '192.0.2.66', identity: guest })) < 20);
    assert.equal(await stage.limit({ client: '192.0.2.1', identity: guest }), 100);
    assert.equal(await stage.limit({ identity: identity({ consumer: 'guest' }) }), 100);
  });

  it('a consumer cannot be named so that it is an address', async () => {
    const stage = await Stage.of(CONFIG);
    await stage.misbehave(60, GUESS, { identity: identity({ consumer: '192.0.2.1' }) });
    assert.equal(await stage.limit({ client: '192.0.2.1' }), 100);
  });

  it('a whole /64 is one caller', async () => {
    const stage = await Stage.of(CONFIG);
    for (let i = 1; i <= 40; i++) {
      const client = parseIpAddress(`2001:db8::${i.toString(16)}`);
      assert.ok(client);
      await stage.misbehave(1, GUESS, { client });
    }
    const last = parseIpAddress('2001:db8::ffff');
    assert.ok(last);
    assert.ok((await stage.limit({ client: last })) < 30);
  });

  it('shadow counts for itself what is let on there', async () => {
    const stage = await Stage.of(CONFIG);
    assert.ok((await stage.misbehave(100, { status: 404 }, { shadow: true })) < 100);
  });
});

describe('what an honest caller must not suffer', () => {
  it('an outage of the upstream', async () => {
    const stage = await Stage.of({ ...CONFIG, limit: 1000 });
    for (let i = 0; i < 900; i++) {
      await stage.misbehave(1, { status: i % 3 === 0 ? 200 : 502 }, { client: `192.0.2.${i % 5}` });
      stage.nowMs += 300;
    }
    for (let i = 0; i < 5; i++) assert.equal(await stage.limit({ client: `192.0.2.${i}` }), 100);
  });

  it('that the gateway, a store or the upstream is away', async () => {
    const stage = await Stage.of(CONFIG);
    for (const code of ['upstream-timeout', 'identity-unavailable', 'overloaded', 'draining'] as const)
      await stage.misbehave(20, { code, status: ERRORS[code].status });
    assert.equal(await stage.limit(), 100);
  });

  it('a share of not found, however many requests', async () => {
    const stage = await Stage.of({ ...CONFIG, limit: 10_000 });
    for (let i = 0; i < 3000; i++) await stage.misbehave(1, { status: i % 13 === 0 ? 404 : 200 });
    assert.equal(await stage.limit(), 100);
  });

  it('one challenge for each request', async () => {
    const stage = await Stage.of({ ...CONFIG, limit: 10_000 });
    for (let i = 0; i < 1000; i++) {
      await stage.misbehave(1, { status: 401, code: 'unauthenticated' });
      await stage.misbehave(1, { status: 200 });
    }
    assert.equal(await stage.limit(), 100);
  });

  it('its own 429s: a limit that is reached does not tighten', async () => {
    const stage = await Stage.of(CONFIG);
    await stage.misbehave(1000, { status: 200 });
    assert.equal(await stage.limit(), 100);
  });

  it('a wait as long as it was told', async () => {
    const stage = await Stage.of(CONFIG);
    await stage.misbehave(60, GUESS);
    const { decision } = await stage.ask();
    assert.ok(decision.kind === 'reject');
    const [field, seconds] = decision.error.headers;
    assert.equal(field, 'Retry-After');
    stage.nowMs += Number(seconds) * 1000;
    assert.equal((await stage.ask()).decision.kind, 'continue');
  });
});

describe('a rate against what it usually is', () => {
  const usual = async (stage: Stage, minutes: number, perMinute: number) => {
    for (let i = 0; i < minutes * perMinute; i++) {
      await stage.misbehave(1, { status: 200 });
      stage.nowMs += 60_000 / perMinute;
    }
  };
  const flood = async (stage: Stage) => {
    for (let i = 0; i < 300; i++) {
      await stage.misbehave(1, { status: 200 });
      stage.nowMs += 100;
    }
  };

  it('is tightened where it was known, and restored', async () => {
    const stage = await Stage.of(CONFIG);
    await usual(stage, 20, 6);
    await flood(stage);
    assert.ok((await stage.limit()) < 20, `${await stage.limit()}`);
    stage.nowMs += 180_000;
    assert.equal(await stage.limit(), 100);
  });

  it('is nothing where there is no history, and where it is switched off', async () => {
    const young = await Stage.of(CONFIG);
    await usual(young, 5, 6);
    await flood(young);
    assert.equal(await young.limit(), 100);
    const off = await Stage.of({ ...CONFIG, behaviour: { baseline: false } });
    await usual(off, 20, 6);
    await flood(off);
    assert.equal(await off.limit(), 100);
  });
});

describe('adaptive-limit tells', () => {
  it('of each move once, in the notices and, without a key, in the log', async () => {
    const world = new FakeWorld(() => assert.fail('asks nobody'));
    const more = { more: { resources: new ResourcePool(world) } };
    const stage = await Stage.of({ ...CONFIG, behaviour: { window: '1m' } }, createLocalCounters(), more);
    await stage.misbehave(40, GUESS);
    const notices: string[] = [];
    for (const laterMs of [1000, 5000, 200_000, 300_000]) {
      stage.nowMs += laterMs;
      world.elapsedMs += laterMs;
      notices.push(...(await stage.ask()).context.notices);
    }
    assert.deepEqual(notices, ['limit-restored']);
    const [tightened, restored] = world.logged;
    assert.equal(tightened.event, 'limit-tightened');
    assert.equal(restored.event, 'limit-restored');
    assert.doesNotMatch(JSON.stringify(world.logged), /192\.0\.2/);
  });
});

describe('health', () => {
  const healthy = { limit: 1000, window: '1m' } satisfies AdaptiveLimitConfig;
  const fill = async (stage: Stage, count: number, options: ContextOptions = {}) => {
    const contexts: RecordedContext[] = [];
    for (let i = 0; i < count; i++) contexts.push((await stage.ask(options)).context);
    return contexts;
  };

  it('refuses the least important first, and gives back what it charged', async () => {
    const state = createLocalCounters();
    const stage = await Stage.of(healthy, state);
    await fill(stage, 60);
    const low = await stage.ask({ priority: 'low' });
    assert.ok(low.decision.kind === 'reject');
    assert.equal(low.decision.error.code, 'overloaded');
    assert.equal(low.decision.error.status, 503);
    assert.deepEqual(low.decision.error.headers, ['Retry-After', '1']);
    await fill(stage, 25);
    assert.equal((await stage.ask({ priority: 'normal' })).decision.kind, 'reject');
    await fill(stage, 10, { priority: 'high' });
    assert.equal((await stage.ask({ priority: 'high' })).decision.kind, 'reject');
    await fill(stage, 5, { priority: 'critical' });
    const last = await stage.ask({ priority: 'critical' });
    assert.equal(last.decision.kind, 'reject');
    const [, told] = last.context.recorded;
    assert.equal(told[2], '"adaptive-limit";r=899;t=7');
    assert.equal((await stage.ask({ route: 'items' })).decision.kind, 'continue');
  });

  it('a place is free from the head of the answer, and from the end, once', async () => {
    const stage = await Stage.of(healthy);
    const contexts = await fill(stage, 85);
    for (const context of contexts.slice(0, 2)) await stage.policy.response?.(context, OK);
    for (const context of contexts.slice(0, 3)) await context.end({ status: 200, upstreamMs: 5 });
    await fill(stage, 3);
    assert.equal((await stage.ask()).decision.kind, 'reject');
  });

  it('a request without a route is nobody’s load', async () => {
    const stage = await Stage.of(healthy);
    await fill(stage, 200, { route: '' });
    assert.equal((await stage.ask({ route: '' })).decision.kind, 'continue');
  });

  it('what is under way is known after a reload', async () => {
    const world = new FakeWorld(() => assert.fail('asks nobody'));
    const more = { more: { resources: new ResourcePool(world) } };
    const first = await Stage.of(healthy, createLocalCounters(), more);
    const contexts = await fill(first, 85);
    const second = await Stage.of({ ...healthy, limit: 500 }, createLocalCounters(), more);
    await first.policy.dispose?.();
    assert.equal((await second.ask()).decision.kind, 'reject');
    await contexts[0].end({ status: 200 });
    assert.equal((await second.ask()).decision.kind, 'continue');
    await second.policy.dispose?.();
  });

  it('switched off, everything is let on', async () => {
    const stage = await Stage.of({ ...healthy, health: false });
    await fill(stage, 500);
    assert.equal(stage.policy.response, undefined);
    assert.equal((await stage.ask()).decision.kind, 'continue');
  });
});

describe('adaptive-limit on counters that workers share', () => {
  it('what one worker saw tightens the limit in the other, and a judgement is synchronous', async () => {
    const { memory } = createSharedCounters({ random: { hex: (bytes) => '5a'.repeat(bytes) } });
    const one = await Stage.of(CONFIG, attachSharedCounters(memory));
    const other = await Stage.of(CONFIG, attachSharedCounters(memory));
    await one.misbehave(40, GUESS);
    assert.ok(!(other.policy.request?.(other.context()) instanceof Promise));
    assert.ok((await other.limit()) < 30);
  });
});
