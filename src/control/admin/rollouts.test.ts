import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { AUTH, type Case, check, codeOf, makeWorld, YAML } from '../../../test/fixtures/admin.ts';
import { BASE, cohort, EMPTY_PLAN, REVISION, TRIAL } from '../../../test/fixtures/rollouts/rollout-parts.ts';
import { bundleOf, RunnerWorld } from '../../../test/fixtures/rollouts/runner-world.ts';
import { evidenceHash, type Finding } from '../../lifecycle/index.ts';
import type { OfferResult } from './index.ts';

const CANARY = {
  ...EMPTY_PLAN,
  gates: { ...EMPTY_PLAN.gates, denyRate: 0.2 },
  steps: [
    { cohort: cohort(0.1), forMs: 1000 },
    { cohort: cohort(0.5), forMs: 1000 },
  ],
};
const JSON_BODY = { ...AUTH, 'content-type': 'application/json' };
const OTHER = 'd'.repeat(64);

async function world() {
  const runner = new RunnerWorld();
  const clock = { now: () => runner.now, monotonic: () => runner.now };
  const parts = { clock, rollouts: () => runner.desk, store: () => runner.store };
  const { app } = await makeWorld(parts);
  return { app, runner };
}

const post = (app: FastifyInstance, url: string, payload: object | string = {}, headers = JSON_BODY) =>
  app.inject({
    method: 'POST',
    url,
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    headers: { host: 'localhost', ...headers },
  });
const get = async (app: FastifyInstance, url: string) =>
  (await app.inject({ url, headers: { host: 'localhost', ...AUTH } })).json();

const VERBS = ['approve', 'pause', 'resume', 'promote', 'abort'];

describe('rollouts', () => {
  test('are for who holds the token', async () => {
    const { app } = await world();
    const reading = ['', '/current', '/r1', '/r1/events'].map(
      (path): InjectOptions => ({
        url: `/api/rollouts${path}`,
      }),
    );
    const acting = [...VERBS.map((verb) => `/api/rollouts/r1/${verb}`), '/api/rollouts', '/api/rollback'].map(
      (url): InjectOptions => ({ method: 'POST', url }),
    );
    const requests = [...reading, ...acting];
    await check(
      app,
      requests.map((request): Case => [`${request.url}`, request, [401, 'unauthenticated']]),
    );
  });

  test('are told from what is not there, and from what cannot be meant', async () => {
    const { app, runner } = await world();
    await runner.begin(CANARY);
    await runner.settled();
    const ask = (url: string, payload: object): InjectOptions => ({
      method: 'POST',
      url,
      payload: JSON.stringify(payload),
      headers: JSON_BODY,
    });
    const evidence = 'f'.repeat(64);
    await check(app, [
      ['none of that id', { url: '/api/rollouts/r7', headers: AUTH }, [404, 'not-found']],
      ['events of none', { url: '/api/rollouts/r7/events', headers: AUTH }, [404, 'not-found']],
      ['no id', { url: '/api/rollouts/..%2f', headers: AUTH }, [400, 'invalid-request']],
      ['pause of none', ask('/api/rollouts/r7/pause', {}), [404, 'not-found']],
      ['unknown member', ask('/api/rollouts/r1/pause', { force: true }), [400, 'invalid-request']],
      ['no name', ask('/api/rollouts/r1/pause', { as: 'a\nb' }), [400, 'invalid-request']],
      ['long name', ask('/api/rollouts/r1/pause', { as: 'a'.repeat(201) }), [400, 'invalid-request']],
      ['approval of nothing', ask('/api/rollouts/r1/approve', {}), [400, 'invalid-request']],
      ['approval of nobody', ask('/api/rollouts/r1/approve', { evidence }), [400, 'invalid-request']],
      ['approval in canary', ask('/api/rollouts/r1/approve', { as: 'ben', evidence }), [409, 'conflict']],
      ['resume of one that runs', ask('/api/rollouts/r1/resume', {}), [409, 'conflict']],
      ['promotion to nowhere', ask('/api/rollouts/r1/promote', { to: 'all' }), [400, 'invalid-request']],
      ['no revision', ask('/api/rollback', { revision: 'abc' }), [400, 'invalid-request']],
      ['unknown revision', ask('/api/rollback', { revision: OTHER }), [404, 'not-found']],
      ['active revision', ask('/api/rollback', { revision: BASE }), [409, 'conflict']],
      ['not JSON', { ...ask('/api/rollback', {}), headers: YAML }, [415, 'unsupported-media-type']],
    ]);
    assert.equal(await runner.settled(), 'canary 0');
  });

  test('are shown as they are, and as they were', async () => {
    const { app, runner } = await world();
    const none = await app.inject({ url: '/api/rollouts/current', headers: { host: 'localhost', ...AUTH } });
    assert.equal(none.statusCode, 404);
    await runner.begin(CANARY);
    await runner.pass(250);
    const shown = await get(app, '/api/rollouts/current');
    assert.deepEqual(
      [shown.id, shown.revision, shown.base, shown.phase, shown.step, shown.steps, shown.actor],
      ['r1', REVISION, BASE, 'canary', 0, 2, 'ann'],
    );
    assert.equal(shown.waitsFor, 'the time of this step to pass');
    const { p99Ms: _, ...arm } = TRIAL.canary;
    assert.deepEqual(shown.live.canary, arm);
    assert.deepEqual(
      shown.history.map(({ act }: { act: string }) => act),
      ['started', 'checked', 'tested'],
    );
    runner.verdict = 'broken';
    await runner.pass(250);
    await runner.begin(CANARY, OTHER);
    const page = await get(app, '/api/rollouts?limit=1');
    assert.deepEqual([page.rollouts[0].id, page.next], ['r2', 2]);
    assert.equal(page.rollouts[0].history, undefined);
    const [before] = (await get(app, `/api/rollouts?limit=10&before=${page.next}`)).rollouts;
    assert.deepEqual([before.id, before.phase], ['r1', 'rolled-back']);
    const ended = await get(app, '/api/rollouts/r1');
    assert.equal(ended.history.at(-1).evidence.kind, 'trial');
    assert.equal(ended.waitsFor, null);
  });

  test('are paused, resumed, promoted and aborted by somebody with a name and a reason', async () => {
    const { app, runner } = await world();
    await runner.begin(CANARY);
    await runner.settled();
    const asked = { as: 'Ánn <ann@example.com>', reason: 'so' };
    assert.equal((await post(app, '/api/rollouts/r1/pause', asked)).json().pausedBy, `admin as ${asked.as}`);
    assert.equal(
      (await get(app, '/api/rollouts/r1')).waitsFor,
      `somebody to resume it: paused by admin as ${asked.as}`,
    );
    assert.equal((await post(app, '/api/rollouts/r1/promote')).statusCode, 409);
    assert.equal((await post(app, '/api/rollouts/r1/resume')).json().pausedBy, null);
    assert.equal((await post(app, '/api/rollouts/r1/promote')).json().step, 1);
    assert.equal((await post(app, '/api/rollouts/r1/abort', asked)).json().phase, 'aborted');
    assert.equal((await post(app, '/api/rollouts/r1/pause')).statusCode, 409);
    assert.equal(runner.workers.candidate, undefined);
    const [entry] = await runner.store.listAudit({ limit: 1 });
    assert.deepEqual(
      [entry.actor, entry.action, entry.detail.reason],
      [`admin as ${asked.as}`, 'rollout.aborted', 'so'],
    );
  });

  test('are promoted past all steps', async () => {
    const { app, runner } = await world();
    await runner.begin(CANARY);
    await runner.settled();
    assert.equal((await post(app, '/api/rollouts/r1/promote', { to: 'active' })).json().phase, 'activating');
    assert.equal(await runner.settled(), 'active');
    assert.equal(runner.workers.active?.revision, REVISION);
  });

  test('are approved by others than their author, of what they have seen', async () => {
    const { app, runner } = await world();
    const order = { origin: 'api', actor: 'admin as ann', reason: '', base: BASE } as const;
    await runner.runner.begin(bundleOf(REVISION), { ...order, plan: { ...EMPTY_PLAN, approvals: 1 } });
    const { evidence, waitsFor } = await get(app, '/api/rollouts/r1');
    assert.equal(waitsFor, '1 approval by others than admin as ann');
    assert.equal(evidence, evidenceHash(runner.runner.open ?? assert.fail()));
    const approve = (as: string, seen: string) =>
      post(app, '/api/rollouts/r1/approve', { as, evidence: seen });
    assert.equal((await approve('ann', evidence)).statusCode, 409);
    assert.equal((await approve('ben', 'f'.repeat(64))).statusCode, 409);
    assert.equal(runner.runner.open?.approvals.length, 0);
    const approved = (await approve('ben', evidence)).json();
    assert.deepEqual(approved.approvals[0].actor, 'admin as ben');
    assert.equal(await runner.settled(), 'active');
  });

  test('are 503 where the store cannot keep what was asked', async () => {
    const { app, runner } = await world();
    await runner.begin({ ...EMPTY_PLAN, approvals: 1 });
    const { evidence } = await get(app, '/api/rollouts/r1');
    runner.isStoreThere = false;
    const answer = await post(app, '/api/rollouts/r1/approve', { as: 'ben', evidence });
    assert.deepEqual([answer.statusCode, codeOf(answer.body)], [503, 'store-unavailable']);
    assert.equal((await get(app, '/api/rollouts/current')).phase, 'approval');
    assert.equal((await post(app, '/api/rollouts/r1/abort')).json().phase, 'aborted');
  });
});

describe('an offer', () => {
  const FINDING: Finding = {
    rule: 'unauthenticated-route',
    severity: 'warning',
    path: 'routes[0]',
    message: 'anybody may call it',
    fix: 'say who may',
    docs: 'docs/checks.md#unauthenticated-route',
    line: 3,
  };
  const offers: readonly [OfferResult, status: number, code: string | undefined][] = [
    [{ outcome: 'rollout', revision: REVISION, rollout: 'r1' }, 202, undefined],
    [{ outcome: 'busy', revision: OTHER, rollout: 'r1' }, 409, 'rollout-in-progress'],
    [{ outcome: 'stale', revision: OTHER }, 412, 'precondition-failed'],
    [{ outcome: 'activated', revision: REVISION, findings: [FINDING] }, 201, undefined],
  ];
  for (const url of ['/api/revisions', '/api/rollouts']) {
    for (const [result, status, code] of offers) {
      test(`to ${url} that is ${result.outcome} is ${status}`, async () => {
        const { app, offers: taken } = await makeWorld({}, result);
        const answer = await post(app, `${url}?as=b%C3%A9a&reason=so`, 'sallyport: 1\n', YAML);
        assert.equal(answer.statusCode, status, answer.body);
        assert.deepEqual([taken[0].actor, taken[0].reason], ['admin as béa', 'so']);
        if (code !== undefined) return assert.equal(codeOf(answer.body), code);
        const rollout = 'rollout' in result ? result.rollout : null;
        const { findings = [] } = result;
        assert.deepEqual(answer.json(), { revision: REVISION, outcome: result.outcome, rollout, findings });
        const place = url === '/api/rollouts' && rollout !== null ? 'rollouts/r1' : `revisions/${REVISION}`;
        assert.equal(answer.headers.location, `/api/${place}`);
      });
    }
  }
});

describe('going back', () => {
  test('ends the rollout under way', async () => {
    const { app, runner } = await world();
    await runner.begin(CANARY);
    await runner.settled();
    const answer = await post(app, '/api/rollback', { reason: 'bad' });
    assert.deepEqual(answer.json(), { outcome: 'aborted', revision: null, aborted: 'r1' });
    assert.equal(runner.workers.candidate, undefined);
  });

  test('serves the revision before, then the one before that', async () => {
    const { app, runner } = await world();
    for (const id of ['1', '2', BASE]) {
      const texts = { document: `# ${id}`, files: {}, author: 'ann', reason: '' };
      await runner.store.putRevision({ id, createdAt: 1, ...texts });
      await runner.store.setActive(id, 1);
    }
    assert.deepEqual((await post(app, '/api/rollback')).json(), {
      outcome: 'activated',
      revision: '2',
      aborted: null,
    });
    assert.equal(runner.workers.active?.revision, '2');
    await runner.store.setActive('2', 2, 'rollback');
    assert.equal((await post(app, '/api/rollback')).json().revision, '1');
    await runner.store.setActive('1', 3, 'rollback');
    const last = await post(app, '/api/rollback');
    assert.deepEqual([last.statusCode, codeOf(last.body)], [409, 'conflict']);
  });

  test('serves a revision by name, and ends what is under way for it', async () => {
    const { app, runner } = await world();
    const texts = { document: `# ${OTHER}`, files: {}, author: 'ann', reason: '' };
    await runner.store.putRevision({ id: OTHER, createdAt: 1, ...texts });
    await runner.store.setActive(OTHER, 1);
    await runner.begin(CANARY);
    await runner.settled();
    const answer = await post(app, '/api/rollback', { revision: OTHER });
    assert.deepEqual(answer.json(), { outcome: 'activated', revision: OTHER, aborted: 'r1' });
    assert.deepEqual(runner.workers.log, ['try 0.1', 'end', 'live']);
  });

  test('is no way to live for what never was', async () => {
    const { app, runner } = await world();
    const texts = { document: '', files: {}, author: 'ann', reason: '' };
    await runner.store.putRevision({ id: OTHER, createdAt: 1, ...texts });
    await runner.begin(CANARY);
    const answer = await post(app, '/api/rollback', { revision: OTHER });
    assert.deepEqual([answer.statusCode, codeOf(answer.body)], [409, 'conflict']);
    assert.ok(runner.runner.open !== undefined);
  });

  test('refuses what cannot be served any more, and says why', async () => {
    const { app, runner } = await world();
    const texts = { document: '', files: {}, author: 'ann', reason: '' };
    await runner.store.putRevision({ id: OTHER, createdAt: 1, ...texts });
    await runner.store.setActive(OTHER, 1);
    const issues = [{ path: 'routes[0]', message: 'is wrong' }];
    runner.workers.publishResult = { outcome: 'refused', revision: undefined, issues };
    const answer = await post(app, '/api/rollback', { revision: OTHER });
    assert.deepEqual([answer.statusCode, codeOf(answer.body)], [422, 'invalid-document']);
    assert.deepEqual(answer.json().errors, issues);
  });

  test('works without the store', async () => {
    const { app, runner } = await world();
    runner.desk.remember(bundleOf(OTHER));
    runner.desk.remember(bundleOf(BASE));
    runner.isStoreThere = false;
    assert.equal((await post(app, '/api/rollback')).json().revision, OTHER);
  });
});

describe('the events of a rollout', () => {
  /** Reads events until the stream ends, telling each as it comes. */
  async function follow(app: FastifyInstance, onEvent: (phase: string) => void): Promise<void> {
    const origin = await app.listen({ host: '127.0.0.1', port: 0 });
    const answer = await fetch(`${origin}/api/rollouts/r1/events`, { headers: AUTH });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/event-stream');
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    const decoder = new TextDecoder();
    let text = '';
    for await (const bytes of answer.body ?? []) {
      text += decoder.decode(bytes, { stream: true });
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const [, data] = /^event: rollout\ndata: (.+)$/.exec(event) ?? assert.fail(event);
        const { phase, step } = JSON.parse(data);
        onEvent(`${phase} ${step}`);
      }
    }
  }

  test('tell what becomes of it, to its end', async () => {
    const { app, runner } = await world();
    await runner.begin(CANARY);
    await runner.settled();
    const seen: string[] = [];
    await follow(app, (phase) => {
      if (seen.at(-1) === phase) return;
      seen.push(phase);
      if (phase === 'canary 0') void runner.pass(1250);
      if (phase === 'canary 1') {
        runner.verdict = 'broken';
        void runner.pass(250);
      }
    });
    assert.deepEqual(seen, ['canary 0', 'canary 1', 'rolled-back 0']);
  });

  test('tell of one that has ended, and end', async () => {
    const { app, runner } = await world();
    await runner.begin(EMPTY_PLAN);
    await runner.settled();
    const seen: string[] = [];
    await follow(app, (phase) => void seen.push(phase));
    assert.deepEqual(seen, ['active 0']);
  });

  test('end with the admin side', async () => {
    const { app, runner } = await world();
    await runner.begin({ ...EMPTY_PLAN, approvals: 1 });
    let closed: Promise<unknown> | undefined;
    await follow(app, () => {
      closed ??= app.close();
    }).catch(() => {});
    await closed;
  });
});
