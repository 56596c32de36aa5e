import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { losableState } from '../../../test/fixtures/losable-state.ts';
import { remote } from '../../../test/fixtures/nobody-there.ts';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import {
  type ContextOptions,
  compileDeps,
  DEFAULT_NOW_MS,
  identity,
  policyContext,
  type RecordedContext,
} from '../../../test/fixtures/policy-context.ts';
import type { CounterState, ImposedBan, RequestEnd } from '../../contract/index.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { CurrentBans, createLocalCounters } from '../../state/index.ts';
import { autoBan } from './policy.ts';
import type { AutoBanConfig } from './schema.ts';

runPolicyCases(autoBan, new URL('cases.json', import.meta.url));

const MINUTE_MS = 60_000;
const WRONG: Partial<RequestEnd> = { status: 401, code: 'invalid-credential' };
const CONFIG: AutoBanConfig = {
  after: 3,
  window: '5m',
  for: ['failed-authentication', 'not-found'],
  ban: '10m',
};

type Asked = Omit<ContextOptions, 'client'> & { readonly client?: string };

/** One attachment in a worker of its own counters and bans, unless it shares them with another. */
async function world(
  over: Partial<AutoBanConfig> = {},
  { state = createLocalCounters(), own = [] as readonly string[], attachment = 'route:orders/auto-ban' } = {},
) {
  const reported: ImposedBan[] = [];
  const bans = new CurrentBans({ report: (ban) => void reported.push(ban) });
  bans.protect(own);
  const policy = await autoBan.compile({ ...CONFIG, ...over }, compileDeps({ attachment }));
  const at = { nowMs: DEFAULT_NOW_MS };
  const context = ({ client = '192.0.2.1', ...options }: Asked = {}): RecordedContext => {
    const address = parseIpAddress(client);
    assert.ok(address);
    return policyContext({ client: address, state, bans, nowMs: at.nowMs, ...options });
  };
  const codeOf = async (c: RecordedContext): Promise<string> => {
    const decision = await policy.request?.(c);
    assert.ok(decision);
    return decision.kind === 'reject' ? decision.error.code : decision.kind;
  };
  /** One request to its end: what the policy said, and what it noticed. */
  const send = async (asked: Asked = {}, end: Partial<RequestEnd> = WRONG) => {
    const c = context(asked);
    const code = await codeOf(c);
    await c.end(end);
    return { code, notices: c.notices };
  };
  const times = async (n: number, asked: Asked = {}, end: Partial<RequestEnd> = WRONG) => {
    for (let i = 0; i < n; i++) await send(asked, end);
  };
  const isBanned = (client: string): boolean => {
    const address = parseIpAddress(client);
    assert.ok(address);
    return bans.find(address, at.nowMs) !== undefined;
  };
  return { policy, bans, reported, at, context, codeOf, send, times, isBanned };
}

describe('auto-ban by address', () => {
  it('bans with the very rejection that is too many, and nobody else', async () => {
    const { times, send, isBanned, reported } = await world();
    await times(2);
    assert.equal(isBanned('192.0.2.1'), false);
    assert.deepEqual((await send()).notices, ['ban-imposed']);
    assert.equal(isBanned('192.0.2.1'), true);
    assert.equal(isBanned('::ffff:192.0.2.1'), true, 'CHECKLIST 24');
    assert.equal(isBanned('192.0.2.2'), false);
    const { id, ...ban } = reported[0];
    assert.match(id, /^0+$/);
    assert.deepEqual(ban, {
      network: '192.0.2.1/32',
      sinceMs: DEFAULT_NOW_MS,
      untilMs: DEFAULT_NOW_MS + 10 * MINUTE_MS,
      forgetMs: DEFAULT_NOW_MS + 10 * MINUTE_MS + 7 * 24 * 60 * MINUTE_MS,
      reason: '3 rejections (failed-authentication, not-found) in 5m',
      by: 'route:orders/auto-ban',
      strike: 1,
      round: 1,
      shadow: false,
    });
    assert.equal(reported.length, 1);
  });

  it('counts what it was told to alone', async () => {
    const { times, isBanned } = await world();
    for (const end of [
      {},
      { status: 403, code: 'forbidden' },
      { status: 429, code: 'rate-limited' },
      { status: 503, code: 'overloaded' },
      { status: 403, code: 'address-banned' },
      { status: 499, code: 'client-closed-request' },
      { status: 502, code: 'upstream-unreachable' },
    ] as const)
      await times(10, {}, end);
    assert.equal(isBanned('192.0.2.1'), false);
    await times(2, {}, { status: 404 });
    await times(1, {}, { status: 404, code: 'no-route' });
    assert.equal(isBanned('192.0.2.1'), true, 'its kinds are counted together');
  });

  it('bans a /64 of IPv6, and never anything wider', async () => {
    const { times, isBanned, reported } = await world();
    for (const client of ['2001:db8:1:2::1', '2001:db8:1:2:ffff::', '2001:db8:1:2:3:4:5:6'])
      await times(1, { client });
    assert.deepEqual(
      reported.map(({ network }) => network),
      ['2001:db8:1:2::/64'],
    );
    assert.equal(isBanned('2001:db8:1:3::1'), false);
  });

  it('never bans own networks: a proxy in front is who would be shut out', async () => {
    const own = ['192.0.2.0/24', '2001:db8::7/128'];
    const { times, send, isBanned, reported } = await world({}, { own });
    await times(2);
    assert.deepEqual((await send()).notices, ['ban-protected']);
    await times(9, { client: '::ffff:192.0.2.1' });
    await times(9, { client: '2001:db8::9' });
    assert.deepEqual(reported, []);
    assert.equal(isBanned('192.0.2.1'), false);
    assert.equal(isBanned('2001:db8::9'), false, 'its /64 holds an own address');
  });

  it('bans loopback and private clients: behind some networks all are', async () => {
    const { times, isBanned } = await world();
    for (const client of ['127.0.0.1', '10.1.2.3', 'fd00::1']) {
      await times(3, { client });
      assert.equal(isBanned(client), true, client);
    }
  });

  it('counts no rejection twice: those of a window ago are over', async () => {
    const { times, isBanned, at } = await world();
    await times(2);
    at.nowMs += 10 * MINUTE_MS;
    await times(2);
    assert.equal(isBanned('192.0.2.1'), false);
    await times(1);
    assert.equal(isBanned('192.0.2.1'), true);
  });

  it('bans with the last of a row that goes over the edge of a window', async () => {
    const { times, isBanned, at } = await world({ after: 20, window: '5m' });
    at.nowMs += 5 * MINUTE_MS - 1000;
    for (let i = 0; i < 19; i++, at.nowMs += 100) await times(1);
    assert.equal(isBanned('192.0.2.1'), false);
    await times(1);
    assert.equal(isBanned('192.0.2.1'), true);
  });
});

describe('a ban by auto-ban', () => {
  it('grows with each in a row up to the longest, and is forgotten in time', async () => {
    const { times, reported, at } = await world({ growth: 3, maxBan: '1h', forget: '1d' });
    const minutes = async () => {
      await times(3);
      const ban = reported.at(-1);
      assert.ok(ban);
      at.nowMs = ban.untilMs;
      return [ban.strike, (ban.untilMs - ban.sinceMs) / MINUTE_MS];
    };
    assert.deepEqual(await minutes(), [1, 10]);
    assert.deepEqual(await minutes(), [2, 30]);
    assert.deepEqual(await minutes(), [3, 60]);
    assert.deepEqual(await minutes(), [4, 60]);
    at.nowMs += 24 * 60 * MINUTE_MS - 1;
    assert.deepEqual(await minutes(), [5, 60]);
    at.nowMs += 24 * 60 * MINUTE_MS;
    assert.deepEqual(await minutes(), [1, 10]);
  });

  it('begins anew when it is over: it takes as many again', async () => {
    const { times, isBanned, at } = await world({ ban: '1s' });
    await times(3);
    at.nowMs += 1000;
    assert.equal(isBanned('192.0.2.1'), false);
    await times(2);
    assert.equal(isBanned('192.0.2.1'), false);
    await times(1);
    assert.equal(isBanned('192.0.2.1'), true);
  });

  it('does not come back with the next rejection when it was lifted, and is a first one then', async () => {
    const { bans, times, isBanned, reported } = await world();
    await times(3);
    const [ban] = reported;
    const lifted = { ...ban, untilMs: DEFAULT_NOW_MS, strike: 0, round: ban.round + 1 };
    bans.change({ subject: 'imposed-bans', whole: false, bans: [lifted], forgotten: [] });
    await times(2);
    assert.equal(isBanned('192.0.2.1'), false);
    await times(1);
    assert.equal(isBanned('192.0.2.1'), true);
    assert.equal(reported[1].strike, 1);
  });

  it('counts requests that were under way together as one ban, and nothing beyond', async () => {
    for (const state of [createLocalCounters(), remote(createLocalCounters())]) {
      const { context, codeOf, times, reported, at } = await world({}, { state });
      const many = Array.from({ length: 50 }, () => context());
      for (const c of many) assert.equal(await codeOf(c), 'continue');
      await Promise.all(many.map((c) => c.end(WRONG)));
      assert.deepEqual(
        reported.map(({ strike }) => strike),
        [1],
      );
      at.nowMs = reported[0].untilMs;
      await times(2);
      assert.equal(reported.length, 1, 'what was under way then counts no more');
    }
  });

  it('is the same in two workers that impose it at once', async () => {
    const state = createLocalCounters();
    const [one, two] = [await world({}, { state }), await world({}, { state })];
    await one.times(3);
    await two.times(1);
    const [[first], [second]] = [one.reported, two.reported];
    assert.deepEqual([first.strike, first.round], [second.strike, second.round]);
    two.bans.change({ subject: 'imposed-bans', whole: false, bans: [first], forgotten: [] });
    await two.times(5);
    assert.equal(two.reported.length, 1);
  });
});

describe('auto-ban by caller', () => {
  const consumer = (name: string): Asked => ({ identity: identity({ consumer: name }) });

  it('refuses the caller from everywhere, and nobody else behind the same address', async () => {
    const { times, send, isBanned, reported } = await world({ by: 'consumer' });
    await times(3, consumer('a'));
    assert.deepEqual(await send({ ...consumer('a'), client: '198.51.100.7' }), {
      code: 'caller-banned',
      notices: [],
    });
    assert.equal((await send(consumer('b'))).code, 'continue');
    assert.equal(isBanned('192.0.2.1'), false, 'a NAT has many consumers');
    assert.equal(reported[0].caller, 'consumer a');
  });

  it('says neither why nor for how long', async () => {
    const { policy, times, context } = await world({ by: 'consumer' });
    await times(3, consumer('a'));
    const decision = await policy.request?.(context(consumer('a')));
    assert.ok(decision?.kind === 'reject');
    const { status, detail, headers, rule } = decision.error;
    assert.deepEqual([status, headers, rule], [403, [], 'ban:000000000000']);
    assert.doesNotMatch(detail, /consumer|failed|\d/);
  });

  it('never charges a name that nobody has proved: it is the address that is banned', async () => {
    const { times, send, isBanned } = await world({ by: 'consumer' });
    await times(3, { client: '198.51.100.66', headers: { authorization: 'Basic dmljdGltOng=' } });
    assert.equal(isBanned('198.51.100.66'), true);
    assert.equal((await send(consumer('victim'))).code, 'continue');
  });

  it('tells a consumer from an address, a credential and a group of the same name', async () => {
    const { bans, times, reported } = await world({ by: 'consumer' });
    await times(3, consumer('192.0.2.1/32'));
    assert.equal(reported[0].caller, 'consumer 192.0.2.1/32');
    const address = parseIpAddress('192.0.2.1');
    assert.ok(address);
    assert.equal(bans.find(address, DEFAULT_NOW_MS), undefined);
    assert.equal(bans.findCaller('192.0.2.1/32', DEFAULT_NOW_MS), undefined);
  });

  const names: readonly (readonly [
    by: NonNullable<AutoBanConfig['by']>,
    asked: Asked,
    caller: string | RegExp,
  ])[] = [
    [
      'credential',
      { identity: identity({ consumer: 'a', credential: { kind: 'api-key', id: 'ab12' } }) },
      'credential api-key ab12',
    ],
    ['credential', { identity: identity({ consumer: 'a' }) }, 'consumer a'],
    ['group', { identity: identity({ groups: ['staff', 'partners'] }) }, 'group partners'],
    ['consumer', consumer('\u001b[2J'), /^consumer sha256:[\w-]{22}$/],
    ['consumer', consumer(`sha256:${'0'.repeat(22)}`), /^consumer sha256:(?!0{22})[\w-]{22}$/],
    ['consumer', consumer('x'.repeat(5000)), /^consumer sha256:[\w-]{22}$/],
    [
      { header: 'x-tenant' },
      { headers: { 'x-tenant': 'secret' } },
      /^route:orders\/auto-ban sha256:[\w-]{22}$/,
    ],
    [
      { claim: 'email' },
      { identity: identity({ claims: { email: 'secret@example.com' } }) },
      /^route:orders\/auto-ban sha256:[\w-]{22}$/,
    ],
    [
      { expression: 'request.headers["x-tenant"]' },
      { headers: { 'x-tenant': 'secret' } },
      /^route:orders\/auto-ban sha256:[\w-]{22}$/,
    ],
  ];
  for (const [by, asked, caller] of names) {
    it(`names a caller by ${JSON.stringify(by)} as ${caller}, and finds it again`, async () => {
      const { times, send, reported } = await world({ by });
      await times(3, asked);
      const [ban] = reported;
      assert.match(ban.caller ?? '', typeof caller === 'string' ? new RegExp(`^${caller}$`) : caller);
      assert.equal(JSON.stringify(reported).includes('secret'), false);
      assert.equal((await send(asked)).code, 'caller-banned');
    });
  }

  it('needs an identity where it bans by one', () => {
    for (const [by, needs] of [
      [undefined, []],
      ['address', []],
      [{ header: 'x-tenant' }, []],
      ['consumer', ['identity']],
      ['credential', ['identity']],
      [{ claim: 'sub' }, ['identity']],
    ] as const) {
      assert.ok(typeof autoBan.needs === 'function');
      assert.deepEqual(autoBan.needs({ ...CONFIG, ...(by && { by }) }), needs, JSON.stringify(by));
    }
  });
});

describe('auto-ban in shadow', () => {
  for (const by of ['address', 'consumer'] as const) {
    it(`counts by ${by}, says whom it would ban, and bans nobody`, async () => {
      const { bans, times, send, isBanned, reported, at } = await world({ by });
      const asked: Asked = { shadow: true, identity: identity({ consumer: 'a' }) };
      await times(2, asked);
      assert.deepEqual(await send(asked), { code: 'continue', notices: ['ban-in-shadow'] });
      const code = by === 'address' ? 'address-banned' : 'caller-banned';
      assert.equal((await send(asked)).code, code, 'dropped by the evaluator, and recorded');
      assert.equal(isBanned('192.0.2.1'), false);
      assert.equal(bans.findCaller('consumer a', at.nowMs), undefined);
      assert.equal((await send({ ...asked, shadow: false })).code, 'continue');
      assert.deepEqual(
        reported.map(({ shadow, strike }) => [shadow, strike]),
        [[true, 1]],
      );
      at.nowMs = reported[0].untilMs;
      await times(3, asked);
      assert.deepEqual(
        reported.map(({ strike }) => strike),
        [1, 2],
      );
    });
  }

  it('brings nobody closer to a ban', async () => {
    const { times, isBanned } = await world();
    await times(2, { shadow: true });
    await times(2);
    assert.equal(isBanned('192.0.2.1'), false);
  });
});

describe('auto-ban without its counters', () => {
  it('bans nobody for what it cannot count', async () => {
    const forgetful: CounterState = { ...createLocalCounters(), tally: async () => ({ sum: 1 }) };
    const { times, reported } = await world({}, { state: forgetful });
    await times(30);
    assert.deepEqual(reported, []);
  });
});

for (const [how, told] of [
  ['at once', (state: CounterState) => state],
  ['later', remote],
] as const)
  describe(`auto-ban that is told ${how} that its shared store is lost`, () => {
    const losable = async (over: Partial<AutoBanConfig> = {}) => {
      const store = losableState();
      return { store, ...(await world(over, { state: told(store) })) };
    };

    for (const over of [{}, { onStateLoss: 'local' }] satisfies Partial<AutoBanConfig>[])
      it(`counts here, to the whole of after: ${JSON.stringify(over)}`, async () => {
        const { store, times, send, isBanned, reported } = await losable(over);
        await times(2);
        store.lost = 'all';
        assert.deepEqual((await send()).notices, ['state-lost']);
        await times(1);
        assert.equal(isBanned('192.0.2.1'), false, 'what is in the store nobody knows here');
        assert.deepEqual((await send()).notices, ['state-lost', 'ban-imposed']);
        assert.equal(isBanned('192.0.2.1'), true);
        assert.equal(reported.length, 1);
      });

    it('bans nobody anew where it is open, lets no ban go, and counts on when the store is back', async () => {
      const { store, times, send, isBanned } = await losable({ onStateLoss: 'open', after: 2 });
      await times(2, { client: '192.0.2.66' });
      await times(1);
      store.lost = 'all';
      for (let n = 0; n < 30; n++) assert.deepEqual((await send()).notices, ['state-lost']);
      assert.equal(isBanned('192.0.2.1'), false);
      assert.equal(isBanned('192.0.2.66'), true);
      store.lost = 'nothing';
      assert.deepEqual((await send()).notices, ['ban-imposed']);
    });

    it('bans nobody where it is open, though a single rejection is too many', async () => {
      const { store, times, reported } = await losable({ onStateLoss: 'open', after: 1 });
      store.lost = 'all';
      await times(30);
      assert.deepEqual(reported, []);
    });

    it('says so of what it counts alone, in shadow too', async () => {
      const { store, send } = await losable();
      store.lost = 'all';
      assert.deepEqual((await send({}, { status: 200 })).notices, []);
      assert.deepEqual((await send({}, { status: 404 })).notices, ['state-lost']);
      assert.deepEqual((await send({ shadow: true })).notices, ['state-lost']);
    });

    it('refuses a banned caller as ever', async () => {
      const { store, times, send } = await losable({ by: 'consumer', onStateLoss: 'open' });
      const asked: Asked = { identity: identity({ consumer: 'a' }) };
      await times(3, asked);
      store.lost = 'all';
      assert.deepEqual(await send(asked), { code: 'caller-banned', notices: [] });
    });
  });
