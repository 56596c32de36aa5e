import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ANN,
  BEN,
  counts,
  FORWARDED,
  judged,
  recorded,
  refused,
  refusedBy,
  replayDocument,
  START_MS,
  snapshotOf,
  undecided,
  WITH_KEY,
  WITH_TOKEN,
} from '../../../test/fixtures/replays.ts';
import type { RecordedRequest } from '../../contract/index.ts';
import { replay } from './replay.ts';

const APIKEY = { 'api-key': {} };
const STAFF_ONLY = { acl: { allow: { groups: ['staff'] } } };
const limit = (config: object) => ({ 'rate-limit': { by: 'address', ...config } });

const every = (ms: number, count: number, more: Partial<RecordedRequest> = {}) =>
  Array.from({ length: count }, (_, i) => recorded({ atMs: START_MS + i * ms, ...more }));

describe('what a draft decides otherwise', () => {
  it('allowed to denied, by whom, with examples', async () => {
    const records = [
      recorded({ ...WITH_KEY, identity: ANN }),
      recorded({ ...WITH_KEY, identity: BEN, requestId: 'of-ben' }),
    ];
    const diff = await judged([APIKEY, STAFF_ONLY], records);
    assert.deepEqual(counts(diff), { same: 1, allowedToDenied: 1 });
    const [{ flip, before, after, consumer, count, examples }] = diff.flips;
    assert.deepEqual([flip, before, consumer, count], ['allowed-to-denied', FORWARDED, 'ben', 1]);
    assert.deepEqual([after.by, after.code, examples], ['route:all/acl', 'forbidden', ['of-ben']]);
  });

  it('denied to allowed', async () => {
    const record = refused(refusedBy('acl', 'forbidden', 403), { ...WITH_KEY, identity: BEN });
    const diff = await judged([APIKEY], [record]);
    assert.deepEqual(counts(diff), { deniedToAllowed: 1 });
  });

  it('denied for another reason', async () => {
    const record = refused(refusedBy('ip-list', 'address-denied', 403), { ...WITH_KEY, identity: BEN });
    const diff = await judged([APIKEY, STAFF_ONLY], [record]);
    assert.deepEqual(counts(diff), { otherReason: 1 });
  });

  it('the worst first, and those of one kind together', async () => {
    const records = [
      ...every(1, 3, { outcome: refusedBy('ip-list', 'address-denied', 403) }),
      recorded({ ...WITH_KEY, identity: BEN, requestId: 'worst', atMs: START_MS + 10 }),
    ];
    const diff = await judged([APIKEY, STAFF_ONLY], records);
    assert.deepEqual(
      diff.flips.map(({ flip, count }) => [flip, count]),
      [
        ['allowed-to-denied', 1],
        ['other-reason', 3],
      ],
    );
  });

  it('of requests that stand for others, as many', async () => {
    const diff = await judged([APIKEY, STAFF_ONLY], [recorded({ ...WITH_KEY, identity: BEN, weight: 40 })]);
    assert.deepEqual([diff.totals.requests, diff.totals.allowedToDenied, diff.records], [40, 40, 1]);
  });

  it('only of a route or a consumer; all are counted by limits', async () => {
    const records = [...every(1, 2), recorded({ ...WITH_KEY, identity: BEN, atMs: START_MS + 3 })];
    const diff = await judged([limit({ limit: 2, window: '1h' })], records, { only: { consumer: 'ben' } });
    assert.deepEqual(counts(diff), { allowedToDenied: 1 });
    assert.deepEqual(counts(await judged([], records, { only: { route: 'other' } })), {});
  });

  it('kinds are bounded, and the rest is counted', async () => {
    const records = Array.from({ length: 300 }, (_, i) =>
      recorded({ ...WITH_KEY, identity: { ...BEN, consumer: `c-${i}` } }),
    );
    const diff = await judged([APIKEY, STAFF_ONLY], records);
    assert.equal(diff.totals.allowedToDenied, 300);
    assert.equal(
      diff.flips.reduce((sum, { count }) => sum + count, diff.otherFlips),
      300,
    );
    // Those for whom there is no place stand together, by what decided.
    const [{ consumer, count, after }] = diff.flips;
    assert.deepEqual([diff.flips.length, consumer, count, after.code], [201, undefined, 100, 'forbidden']);
  });
});

describe('limits', () => {
  it('count in the time of the recording', async () => {
    const perSecond = limit({ limit: 2, window: '1s', algorithm: 'sliding-window' });
    assert.deepEqual(counts(await judged([perSecond], every(10, 5))), { same: 2, allowedToDenied: 3 });
    assert.deepEqual(counts(await judged([perSecond], every(1000, 5))), { same: 5 });
  });

  it('begin alike for both, so that only the change shows', async () => {
    const hourly = (n: number) => [limit({ limit: n, window: '1h', algorithm: 'fixed-window' })];
    const diff = await judged(hourly(3), every(10, 5), { against: hourly(3) });
    assert.deepEqual(counts(diff), { same: 5 });
    const tighter = await judged(hourly(2), every(10, 5), { against: hourly(3) });
    assert.deepEqual(counts(tighter), { same: 4, allowedToDenied: 1 });
    assert.deepEqual([tighter.baseline, tighter.against?.length], ['revision', 64]);
  });

  it('of concurrency: places are held as long as requests took then', async () => {
    const one = { concurrency: { limit: 1, by: 'address' } };
    const slow = { durationMs: 100, upstream: { status: 200, ms: 90 } };
    assert.deepEqual(counts(await judged([one], every(50, 4, slow))), { same: 2, allowedToDenied: 2 });
    assert.deepEqual(counts(await judged([one], every(100, 4, slow))), { same: 4 });
  });

  it('that have requests wait do not hang: each is told when its turn would be', async () => {
    const queue = (wait: string) => ({ concurrency: { limit: 1, by: 'address', queue: 2, wait } });
    const slow = { durationMs: 100, upstream: { status: 200, ms: 90 } };
    const three = every(1, 3, slow);
    assert.deepEqual(counts(await judged([queue('1s')], three)), { same: 3 });
    // The third would have to wait for both before it.
    assert.deepEqual(counts(await judged([queue('150ms')], three)), { same: 2, allowedToDenied: 1 });
    // Two wait already.
    assert.deepEqual(counts(await judged([queue('1s')], every(1, 4, slow))), { same: 3, allowedToDenied: 1 });
  });

  it('that go by answers see those of then', async () => {
    const failures = limit({ limit: 1, window: '1h', algorithm: 'fixed-window', count: { status: [401] } });
    const wrong = { upstream: { status: 401, ms: 1 } };
    assert.deepEqual(counts(await judged([failures], every(20, 3))), { same: 3 });
    assert.deepEqual(counts(await judged([failures], every(20, 3, wrong))), { same: 1, allowedToDenied: 2 });
  });

  it('bans are imposed in the replay, when they would have been', async () => {
    const ban = { 'auto-ban': { after: 2, window: '1m', ban: '1h', for: ['forbidden'], by: 'address' } };
    const deny = { acl: { allow: 'everyone', deny: { paths: ['/no'] } } };
    const no = every(10, 3, { target: '/no' });
    const later = recorded({ atMs: START_MS + 1000, requestId: 'banned' });
    const over = recorded({ atMs: START_MS + 7_200_000 });
    const other = recorded({ atMs: START_MS + 1001, peer: '192.0.2.2' });
    const diff = await judged([ban, deny], [...no, later, other, over]);
    assert.deepEqual(counts(diff), { same: 2, allowedToDenied: 4 });
    const bans = diff.flips.filter(({ after }) => after.code === 'address-banned');
    assert.deepEqual(
      bans.map(({ count, after }) => [count, after.rule]),
      [[2, 'ban']],
    );
    const both = await judged([ban, deny], [...no, later, other, over], { against: [ban, deny] });
    assert.deepEqual(counts(both), { same: 6 });
  });
});

describe('what the recording cannot decide', () => {
  const tenant = (config: object) => ({ acl: { allow: 'everyone' }, ...config });

  const cases: readonly (readonly [
    name: string,
    policies: readonly unknown[],
    record: Partial<RecordedRequest>,
    expected: readonly string[],
  ])[] = [
    [
      'a credential that proved nobody',
      [APIKEY],
      { ...WITH_KEY, outcome: refusedBy('api-key', 'invalid-credential', 401) },
      ['1 credential api-key'],
    ],
    [
      'a credential of another kind in the same place',
      [{ 'basic-auth': {} }],
      { ...WITH_TOKEN, identity: { ...BEN, credential: { id: 'x', kind: 'jwt' } } },
      ['1 credential basic-auth'],
    ],
    [
      'a condition about what was left out',
      [tenant({ when: 'request.headers["x-api-key"] == "a"' })],
      { ...WITH_KEY, identity: BEN },
      ['1 credential acl'],
    ],
    [
      'the same, compared as a whole',
      [tenant({ when: 'request.headers == {"host": "api.example.com", "x-api-key": "a"}' })],
      { ...WITH_KEY, identity: BEN },
      ['1 credential acl'],
    ],
    [
      'the same in the query',
      [tenant({ when: 'request.query["key"] == "a"' })],
      { target: '/a?key=&x=1', withheld: { headers: [], query: ['key'] } },
      ['1 credential acl'],
    ],
    [
      'a key of a limit',
      [limit({ limit: 1, window: '1s', by: { header: 'x-api-key' } })],
      { ...WITH_KEY, identity: BEN },
      ['1 credential rate-limit'],
    ],
    [
      'a secret in the path',
      [],
      { target: '/withheld', withheld: { headers: [], query: [], path: true } },
      ['1 credential undefined'],
    ],
    [
      'a forwarded address',
      [],
      {
        peer: '192.0.2.250',
        headers: ['Host', 'a', 'X-Forwarded-For', ''],
        withheld: { headers: ['x-forwarded-for'], query: [] },
      },
      ['1 credential undefined'],
    ],
    [
      'a claim',
      [APIKEY, { 'rate-limit': { limit: 1, window: '1s', by: { claim: 'tenant' } } }],
      { ...WITH_KEY, identity: BEN, withheld: { headers: ['x-api-key'], query: [], claims: ['tenant'] } },
      ['1 credential rate-limit'],
    ],
    [
      'a body that is not kept',
      [{ validate: { body: { type: 'object' } } }],
      {
        method: 'POST',
        headers: ['Host', 'a', 'Content-Type', 'application/json'],
        body: { kind: 'missing', size: 9, why: 'withheld' },
      },
      ['1 body validate'],
    ],
    [
      'somebody outside',
      [{ 'external-auth': { url: 'http://127.0.0.1:1/check' } }],
      {},
      ['1 network external-auth'],
    ],
    ['a limit on a sample', [limit({ limit: 9, window: '1s' })], { weight: 7 }, ['7 sampled rate-limit']],
  ];

  for (const [name, policies, record, expected] of cases) {
    it(name, async () => {
      const diff = await judged(policies, [recorded(record)]);
      assert.deepEqual(undecided(diff), expected);
      if (expected.length > 0) assert.equal(diff.totals.undecided, diff.totals.requests);
    });
  }

  it('is not what nobody looks at', async () => {
    const records = [
      recorded({ ...WITH_KEY, identity: BEN }),
      recorded({ target: '/a?key=&x=1', withheld: { headers: [], query: ['key'] } }),
    ];
    const when = 'request.headers["host"] == "api.example.com" && !("x-other" in request.headers)';
    const diff = await judged([tenant({ when }), tenant({ when: '!("y" in request.query)' })], records);
    assert.deepEqual(counts(diff), { same: 2 });
  });

  it('is not what is in shadow', async () => {
    const shadow = [
      { ...APIKEY, mode: 'shadow' },
      { 'external-auth': { url: 'http://127.0.0.1:1/' }, mode: 'shadow' },
    ];
    const body = { kind: 'missing', size: 3, why: 'withheld' } as const;
    const reads = { validate: { body: { type: 'object' }, contentTypes: ['text/plain'] }, mode: 'shadow' };
    const diff = await judged([...shadow, reads], [recorded({ ...WITH_KEY, method: 'POST', body })]);
    assert.deepEqual(counts(diff), { same: 1 });
  });

  it('is no refusal that came before it', async () => {
    const deny = { acl: { deny: { paths: ['/**'] }, allow: 'everyone' } };
    const sampled = recorded({ weight: 7 });
    assert.deepEqual(counts(await judged([deny, limit({ limit: 9, window: '1s' })], [sampled])), {
      allowedToDenied: 7,
    });
    assert.deepEqual(counts(await judged([limit({ limit: 9, window: '1s' }), deny], [sampled])), {
      allowedToDenied: 7,
    });
  });

  it('a limit that refused then and reaches back to before the recording', async () => {
    const then = refused(refusedBy('rate-limit', 'rate-limited', 429));
    const later = refused(refusedBy('rate-limit', 'rate-limited', 429), { atMs: START_MS + 7_200_000 });
    const hourly = limit({ limit: 5, window: '1h', algorithm: 'sliding-window' });
    const diff = await judged([hourly], [then, later]);
    assert.deepEqual(counts(diff), { undecided: 1, deniedToAllowed: 1 });
  });

  it('a limit that goes by answers, after one that nobody gave', async () => {
    const failures = limit({ limit: 5, window: '1h', count: { status: [401] } });
    const denied = refused(refusedBy('acl', 'forbidden', 403));
    const diff = await judged(
      [failures],
      [denied, recorded({ atMs: START_MS + 50 }), recorded({ atMs: START_MS + 60, peer: '192.0.2.9' })],
    );
    assert.deepEqual(undecided(diff), ['1 upstream rate-limit']);
    assert.deepEqual(counts(diff), { undecided: 1, deniedToAllowed: 1, same: 1 });
  });

  it('places, where one that was never answered may still hold one', async () => {
    const two = { concurrency: { limit: 2, by: 'address' } };
    const denied = refused(refusedBy('acl', 'forbidden', 403));
    const busy = (ms: number) =>
      recorded({ atMs: START_MS + ms, durationMs: 1000, upstream: { status: 200, ms: 1 } });
    const diff = await judged([two], [denied, busy(50), busy(60), busy(40_000)]);
    assert.deepEqual(undecided(diff), ['1 upstream concurrency']);
    assert.deepEqual(counts(diff), { deniedToAllowed: 1, same: 2, undecided: 1 });
  });
});

describe('what no document decides', () => {
  const own = (code: string, status: number) =>
    ({ ...FORWARDED, kind: 'refused', route: '', code, status }) as const;

  it('is counted apart, and by no limit', async () => {
    const shed = every(1, 3, { outcome: own('overloaded', 503), upstream: undefined });
    const diff = await judged(
      [limit({ limit: 1, window: '1h' })],
      [...shed, recorded({ atMs: START_MS + 5 })],
    );
    assert.deepEqual(counts(diff), { outside: 3, same: 1 });
    assert.deepEqual(diff.outside, [{ code: 'overloaded', count: 3 }]);
  });

  it('a ban by an operator', async () => {
    const diff = await judged([], [recorded({ outcome: own('address-banned', 403), upstream: undefined })]);
    assert.deepEqual(counts(diff), { outside: 1 });
  });

  it('a client that went away before it was judged', async () => {
    const diff = await judged(
      [],
      [recorded({ outcome: own('client-closed-request', 499), upstream: undefined })],
    );
    assert.deepEqual(counts(diff), { outside: 1 });
  });
});

it('an import has nothing to compare with: what the draft decides is shown', async () => {
  const records = every(1, 3, { outcome: undefined, target: '/no' });
  const diff = await judged(
    [{ acl: { allow: 'everyone', deny: { paths: ['/no'] } } }],
    [...records, recorded({ outcome: undefined, atMs: START_MS + 9 })],
  );
  assert.equal(diff.baseline, 'nothing');
  assert.deepEqual(counts(diff), { allowed: 1, denied: 3 });
  assert.deepEqual(
    diff.decided.map(({ count, outcome }) => [count, outcome.code]),
    [
      [3, 'forbidden'],
      [1, undefined],
    ],
  );
});

it('an example is shown attachment by attachment, without secrets', async () => {
  const record = recorded({
    requestId: 'this',
    target: '/orders?access_token=hush&%74oken=hush&page=2',
    headers: ['Host', 'a', 'Cookie', 'sid=hush', 'Accept', '*/*'],
  });
  const diff = await judged([limit({ limit: 1, window: '1s' })], [recorded(), record], { example: 'this' });
  const { example } = diff;
  assert.ok(example?.before);
  assert.deepEqual(
    example.after.decisions.map(({ policy, outcome, code }) => [policy, outcome, code]),
    [['rate-limit', 'reject', 'rate-limited']],
  );
  assert.doesNotMatch(JSON.stringify(example), /hush/);
  assert.equal(example.target, '/orders?access_token=…&%74oken=…&page=2');
});

it('revisions that share policies are not compared: they would share what those keep in mind', async () => {
  const snapshot = await snapshotOf(replayDocument([APIKEY]));
  await assert.rejects(replay(snapshot, [recorded()], { against: snapshot }), { name: 'InternalError' });
});

it('is plain data', async () => {
  const diff = await judged([APIKEY, STAFF_ONLY], [recorded({ ...WITH_KEY, identity: BEN })]);
  assert.deepEqual(structuredClone(diff), diff);
});

it('ends when it is told to, and tells how far it is', async () => {
  const abort = new AbortController();
  async function* endless() {
    for (let i = 0; ; i++) {
      if (i === 5000) abort.abort(new Error('enough'));
      yield recorded({ atMs: START_MS + i });
    }
  }
  const snapshot = await snapshotOf(replayDocument([]));
  await assert.rejects(replay(snapshot, endless(), { signal: abort.signal }), /enough/);
});
