import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  type Attached,
  EVERYBODY,
  gate,
  type SnapshotParts,
  stage,
} from '../../../test/fixtures/data-plane.ts';
import { ok } from '../../../test/fixtures/raw-upstream.ts';
import { get, post, send, shadow } from '../../../test/fixtures/shadowed.ts';
import {
  CONTINUE,
  type Decision,
  type PolicyContext,
  type RequestEnd,
  reject,
  respond,
  type ShadowFigures,
} from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';

const NO: Decision = reject(new PolicyRejection('forbidden', 'No.', { rule: 'deny[0]' }));
const when = (decide: (c: PolicyContext) => Decision): Attached => ({ policy: { request: decide } });
const refuses = when(() => NO);

const flipsOf = ({ flips }: ShadowFigures) =>
  flips.map(({ flip, before, after, count }) => [
    flip,
    before.code ?? before.kind,
    after.code ?? after.kind,
    count,
  ]);

describe('a request is judged a second time', () => {
  stage('and nobody notices', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, { policies: [refuses] });
    const figures = await send(plane, get(), get());
    assert.deepEqual(flipsOf(figures), [['allowed-to-denied', 'forward', 'forbidden', 2]]);
    assert.equal(upstream.connections.flatMap(({ requests }) => requests).length, 2);
    const records = await plane.recorded(2);
    assert.deepEqual(
      records.map(({ revision, status }) => [revision[0], status]),
      [
        ['a', 200],
        ['a', 200],
      ],
    );
    assert.deepEqual(
      figures.flips[0].examples,
      records.map(({ requestId }) => requestId),
    );
    const { requests } = plane.dataPlane.trialReport?.figures.canary ?? { requests: [1] };
    assert.ok(requests.every((n) => n === 0));
  });

  const cases: {
    name: string;
    live?: Omit<SnapshotParts, 'targets'>;
    candidate: Omit<SnapshotParts, 'targets'>;
    request?: string;
    flips: readonly (readonly (string | number)[])[];
  }[] = [
    { name: 'alike', candidate: {}, flips: [] },
    {
      name: 'refused by both alike',
      live: { policies: [refuses] },
      candidate: { policies: [refuses] },
      flips: [],
    },
    {
      name: 'let on at last',
      live: { policies: [refuses] },
      candidate: {},
      flips: [['denied-to-allowed', 'forbidden', 'forward', 1]],
    },
    {
      name: 'refused for another reason',
      live: { policies: [refuses] },
      candidate: { policies: [when(() => reject(new PolicyRejection('unauthenticated', 'No.')))] },
      flips: [['other-reason', 'forbidden', 'unauthenticated', 1]],
    },
    {
      name: 'by another rule',
      live: { policies: [refuses] },
      candidate: {
        policies: [when(() => reject(new PolicyRejection('forbidden', 'No.', { rule: 'deny[1]' })))],
      },
      flips: [['other-reason', 'forbidden', 'forbidden', 1]],
    },
    {
      name: 'answered by a policy alike',
      live: { policies: [when(() => respond({ status: 204, headers: [], body: '' }))] },
      candidate: { policies: [when(() => respond({ status: 204, headers: [], body: '' }))] },
      flips: [],
    },
    {
      name: 'without a route',
      candidate: { paths: ['/other'] },
      flips: [['allowed-to-denied', 'forward', 'no-route', 1]],
    },
    {
      name: 'by another route',
      candidate: { route: { name: 'r2' } },
      flips: [['moved', 'forward', 'forward', 1]],
    },
    {
      name: 'a policy breaks',
      candidate: {
        policies: [
          when(() => {
            throw new Error('it broke');
          }),
        ],
      },
      flips: [['allowed-to-denied', 'forward', 'policy-failed', 1]],
    },
    {
      name: 'a policy in shadow refuses',
      candidate: { policies: [{ ...refuses, mode: 'shadow' }] },
      flips: [],
    },
    {
      name: 'a path that only the candidate can read',
      candidate: { listener: { semicolons: 'keep' } },
      request: get('/a;b'),
      flips: [['denied-to-allowed', 'bad-path', 'forward', 1]],
    },
    {
      name: 'a path that only the active revision can read',
      live: { listener: { semicolons: 'keep' } },
      candidate: {},
      request: get('/a;b'),
      flips: [['allowed-to-denied', 'forward', 'bad-path', 1]],
    },
    {
      name: 'a body that is too long for the candidate',
      candidate: { limits: { bodyBytes: 3 } },
      request: post('1234'),
      flips: [['allowed-to-denied', 'forward', 'payload-too-large', 1]],
    },
    {
      name: 'a body that is too long for the active revision',
      live: { limits: { bodyBytes: 3 } },
      candidate: {},
      request: post('1234'),
      flips: [['denied-to-allowed', 'payload-too-large', 'forward', 1]],
    },
    {
      name: 'by its body',
      candidate: {
        policies: [
          {
            policy: { requestBody: (_, body) => (body.text() === 'bad' ? NO : CONTINUE) },
            body: 'buffer',
          },
        ],
      },
      request: post('bad'),
      flips: [['allowed-to-denied', 'forward', 'forbidden', 1]],
    },
    {
      name: 'later, by a policy that takes its time',
      candidate: { policies: [{ policy: { request: async () => NO } }] },
      flips: [['allowed-to-denied', 'forward', 'forbidden', 1]],
    },
  ];
  for (const { name, live = {}, candidate, request = get(), flips } of cases) {
    stage(name, live, { answer: ok() }, async ({ plane, upstream }) => {
      await shadow(plane, upstream, candidate);
      const figures = await send(plane, request);
      assert.deepEqual(flipsOf(figures), flips);
      assert.deepEqual([figures.judged, figures.same], [1, 1 - flips.length]);
      assert.deepEqual(figures.undecided, {});
      const result = flips.length === 0 ? 'same' : 'flip';
      assert.equal(plane.meter.counts.get(`sallyport_shadow_judgements_total{result=${result}}`), 1);
      assert.ok((plane.meter.counts.get('sallyport_shadow_seconds_total{}') ?? 0) > 0);
      assert.ok(figures.costMs > 0);
    });
  }

  stage('at the time when it came', {}, { answer: ok() }, async ({ plane, upstream }) => {
    const live: number[] = [];
    const again: number[] = [];
    const notes = (times: number[]) =>
      when((c) => {
        times.push(c.now, c.deps.clock.now());
        return CONTINUE;
      });
    await plane.reload({ revision: 'c', targets: [upstream.port], policies: [notes(live)] });
    await shadow(plane, upstream, { policies: [notes(again)] });
    await send(plane, get());
    assert.equal(again[0], live[0]);
    assert.equal(again[1], live[0]);
  });

  stage(
    'beside a canary by each revision, always from the active one’s side',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      await shadow(plane, upstream, { policies: [refuses] }, { canary: EVERYBODY });
      assert.deepEqual(plane.compiledAgain.map((revision) => revision[0]).sort(), ['a', 'b']);
      const figures = await send(plane, get());
      const [record] = await plane.recorded(1);
      assert.deepEqual([record.revision[0], record.status], ['b', 403]);
      assert.deepEqual(flipsOf(figures), [['allowed-to-denied', 'forward', 'forbidden', 1]]);
    },
  );
});

describe('what cannot be decided a second time', () => {
  const asks: Attached = {
    policy: {
      async request(c) {
        try {
          await c.deps.network.send({ method: 'GET', url: 'http://a.test/', timeoutMs: 1, maxBytes: 1 });
        } catch {}
        return NO;
      },
    },
  };
  stage('where somebody would be asked, who is not', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, { policies: [asks] });
    const figures = await send(plane, get());
    assert.deepEqual([figures.judged, figures.undecided], [0, { network: 1 }]);
    assert.equal(plane.meter.counts.get('sallyport_shadow_judgements_total{result=undecided}'), 1);
  });

  const late = gate<Decision>();
  const never: Attached = { policy: { request: () => late.promise } };
  stage('where a policy waits too long', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, { policies: [never] });
    const figures = await send(plane, get());
    assert.deepEqual([figures.judged, figures.undecided], [0, { network: 1 }]);
    late.open(CONTINUE);
  });

  const looks: Attached = { policy: { requestBody: () => NO }, body: 'buffer' };
  stage('where a body is too long to be kept', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, { policies: [looks] });
    const figures = await send(plane, post('x'.repeat(100_000)), post('x'));
    assert.deepEqual([figures.judged, figures.undecided], [1, { body: 1 }]);
  });

  stage(
    'where a body was refused before it came',
    { policies: [refuses] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      await shadow(plane, upstream, { policies: [looks] });
      const figures = await send(plane, 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 200000\r\n\r\n');
      assert.deepEqual([figures.judged, figures.undecided], [0, { body: 1 }]);
    },
  );

  const limited: Attached = {
    policy: {
      async request(c) {
        const rule = { limit: 1, windowMs: 60_000 };
        // Live there are no counters in these tests.
        const isLive = await Promise.resolve()
          .then(() => c.deps.state.slidingWindow('route:r/p0', 'k', rule, 1, c.now))
          .then(
            () => false,
            () => true,
          );
        return isLive ? reject(new PolicyRejection('rate-limited', 'No.')) : CONTINUE;
      },
    },
  };
  stage(
    'where it was refused for what was counted before',
    { policies: [limited] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      await shadow(plane, upstream, { policies: [limited] });
      const figures = await send(plane, get());
      assert.deepEqual([figures.judged, figures.undecided], [0, { sampled: 1 }]);
    },
  );

  stage(
    'but that a limit is gone can be',
    { policies: [limited] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      await shadow(plane, upstream, {});
      const figures = await send(plane, get());
      assert.deepEqual(flipsOf(figures), [['denied-to-allowed', 'rate-limited', 'forward', 1]]);
    },
  );

  const unknown: Attached = when(() => reject(new PolicyRejection('identity-unavailable', 'No.')));
  stage(
    'where nobody knew who called',
    { policies: [unknown] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      await shadow(plane, upstream, {});
      const figures = await send(plane, get());
      assert.deepEqual([figures.judged, figures.undecided], [0, { network: 1 }]);
    },
  );
});

describe('what is judged again leaves no trace', () => {
  const RULE = { limit: 1, windowMs: 60_000 };
  const counts: Attached = {
    policy: {
      async request(c) {
        const { allowed } = await c.deps.state.slidingWindow('s', 'k', RULE, 1, c.now);
        return allowed ? CONTINUE : reject(new PolicyRejection('rate-limited', 'No.'));
      },
    },
  };
  // Live counters throw in these tests: whoever touches them is a broken policy.
  stage('in live counters, and yet counts', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, { policies: [counts] });
    const figures = await send(plane, get(), get(), get());
    assert.equal(figures.same, 1);
    assert.deepEqual(flipsOf(figures), [['allowed-to-denied', 'forward', 'rate-limited', 2]]);
  });

  stage('in the counters of another rollout', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, { policies: [counts] });
    await send(plane, get(), get());
    plane.dataPlane.endTrial();
    plane.compiledAgain.length = 0;
    await shadow(plane, upstream, { policies: [counts] }, { rollout: 'rollout-2' });
    assert.equal((await send(plane, get())).same, 1);
  });

  const bans: Attached = when((c) => {
    const { now, request } = c;
    const terms = { sinceMs: now, untilMs: now + 60_000, forgetMs: now + 60_000, reason: '', by: 'x' };
    const ban = { id: 'b1', ...terms, strike: 1, round: 1, shadow: false, address: request.client };
    c.deps.bans.impose(ban);
    c.deps.notices.count('x', 'ban-imposed');
    return CONTINUE;
  });
  stage(
    'in bans: nobody is banned, and yet the candidate would have',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      await shadow(plane, upstream, { policies: [bans] });
      const figures = await send(plane, get(), get());
      assert.deepEqual(plane.shadowBans, ['b1']);
      assert.deepEqual(flipsOf(figures), [['allowed-to-denied', 'forward', 'address-banned', 1]]);
      assert.deepEqual(
        (await plane.recorded(2)).map(({ status }) => status),
        [200, 200],
      );
      assert.ok(![...plane.meter.counts.keys()].some((name) => name.startsWith('sallyport_limit_notices')));
    },
  );

  const SLOT = { limit: 1, queue: 0, waitMs: 0, priority: 'normal' } as const;
  const holds: Attached = {
    policy: {
      async request(c) {
        const outcome = await c.deps.state.acquire('s', 'k', SLOT, c.now, {});
        if (!outcome.granted) return reject(new PolicyRejection('concurrency-limited', 'No.'));
        c.onEnd(() => outcome.slot.release());
        return CONTINUE;
      },
    },
  };
  stage('in places: only who was there together meets', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, { policies: [holds] });
    const alone = await send(plane, get(), get(), get());
    assert.equal(alone.same, 3);
  });

  const ends: RequestEnd[] = [];
  const listens: Attached = when((c) => {
    c.onEnd((end) => void ends.push(end));
    return CONTINUE;
  });
  stage('and is told how it ended for real', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, { policies: [listens] });
    await send(plane, get());
    assert.deepEqual(
      ends.map(({ status, code }) => [status, code]),
      [[200, undefined]],
    );
    assert.equal(typeof ends[0].upstreamMs, 'number');
  });
});
