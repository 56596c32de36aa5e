import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../fixtures/process.ts';
import { keyOf, RENEWED, type RolloutState, Stage, type StatusState } from '../fixtures/rollouts/stage.ts';

const STEPS = [
  { canary: '20%', for: '600ms' },
  { canary: '60%', for: '600ms' },
];
const ROLLOUT = {
  shadow: { for: '500ms', share: '50%' },
  steps: STEPS,
  gates: { denyRate: '+20%', errorRate: '+1%' },
};
const PATIENCE_MS = 40_000;
/** From the decision to go back until no worker lets the candidate decide. */
const BACK_MS = 1000;

describe('a rollout in a real gateway', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
    await stage.write(stage.document('first'));
    await stage.start();
    stage.call();
  });
  after(() => stage.close());

  const status = async (): Promise<StatusState> =>
    (await stage.admin<StatusState>('GET', '/api/status')).body;
  const current = async (): Promise<RolloutState> =>
    (await stage.admin<RolloutState>('GET', '/api/rollouts/current')).body;

  /** Publishes, and waits until it has ended; what it was seen in meanwhile. */
  async function publish(document: object): Promise<{ rollout: RolloutState; seen: Set<string> }> {
    stage.clear();
    const answer = await stage.admin('POST', '/api/rollouts?reason=so', document);
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    const seen = new Set<string>();
    let rollout = await current();
    await eventually(async () => {
      rollout = await current();
      seen.add(`${rollout.phase} ${rollout.step}`);
      return ['active', 'refused', 'rolled-back'].includes(rollout.phase);
    }, PATIENCE_MS);
    return { rollout, seen };
  }

  it('takes a good change through shadow and canary to all', async () => {
    const before = await status();
    const { rollout, seen } = await publish(stage.document('second', { rollout: ROLLOUT }));
    assert.equal(rollout.phase, 'active', JSON.stringify(rollout.history));
    assert.equal(rollout.base, before.revision);
    for (const phase of ['shadow 0', 'canary 0', 'canary 1']) assert.ok(seen.has(phase), [...seen].join());
    assert.equal((await status()).revision, rollout.revision);
    const marks = await Promise.all(Array.from({ length: 60 }, (_, n) => stage.ask(n)));
    assert.deepEqual([...new Set(marks.map(({ mark }) => mark))], ['second']);
    // Both have decided requests, and none was lost.
    assert.deepEqual([...stage.answers.keys()].sort(), [before.revision, rollout.revision].sort());
    for (const byStatus of stage.answers.values()) assert.deepEqual([...byStatus.keys()], [200]);
    assert.equal(stage.failures, 0);
  });

  it('rolls a bad one back by its gate, with no human and with the evidence', async () => {
    const before = await status();
    const bad = [{ acl: { deny: [{ groups: ['nobody'] }], allow: [{ methods: ['POST'] }] } }];
    const document = stage.document(
      'bad',
      { groups: ['nobody'], rollout: { ...ROLLOUT, shadow: undefined } },
      bad,
    );
    const { rollout } = await publish(document);
    assert.equal(rollout.phase, 'rolled-back', JSON.stringify(rollout.history));
    const last = rollout.history.at(-1);
    assert.ok(last?.act === 'broken');
    assert.match(JSON.stringify(last?.evidence), /"gate":"denyRate","state":"broken"/);
    assert.equal((await status()).revision, before.revision);
    // Long enough after it, so that a late one would be seen.
    await eventually(async () => (stage.latest.get(before.revision) ?? 0) > Date.parse(last.at) + BACK_MS);
    const lateMs = (stage.latest.get(rollout.revision) ?? Number.POSITIVE_INFINITY) - Date.parse(last.at);
    assert.ok(lateMs < BACK_MS, `${lateMs} ms after the decision a request was decided by it`);
    const denied = stage.answers.get(rollout.revision)?.get(403) ?? 0;
    assert.ok(denied > 0 && denied < 3000, `${denied} were denied`);
    stage.clear();
    await Promise.all(Array.from({ length: 60 }, (_, n) => stage.ask(n)));
    const after = await Promise.all(Array.from({ length: 60 }, (_, n) => stage.ask(n)));
    assert.deepEqual(new Set(after.map((answer) => answer.status)), new Set([200]));
    const { body } = await stage.admin<{ entries: { action: string }[] }>('GET', '/api/audit?limit=50');
    assert.ok(body.entries.some(({ action }) => action === 'rollout.broken'));
  });

  it('shows in shadow what it would have done, and goes no further', async () => {
    const bad = [{ acl: { allow: [{ methods: ['POST'] }] } }];
    const rollout = { shadow: { for: '20s', share: '100%', budget: '50%' }, gates: { flips: '1%' } };
    const { rollout: ended } = await publish(stage.document('shadowed', { rollout }, bad));
    assert.equal(ended.phase, 'refused', JSON.stringify(ended.history));
    assert.match(JSON.stringify(ended.history.at(-1)?.evidence), /allowed-to-denied/);
    const decided = stage.answers.get(ended.revision);
    assert.equal(decided, undefined);
  });

  it('judges what was recorded, and waits for somebody to agree where too much differs', async () => {
    const bad = [{ acl: { allow: [{ methods: ['POST'] }] } }];
    const replay = { records: '1h', maxFlips: '1%' };
    const offered = await stage.admin(
      'POST',
      '/api/rollouts?as=ann',
      stage.document('judged', { rollout: { replay } }, bad),
    );
    assert.equal(offered.status, 202);
    await eventually(async () => (await current()).phase === 'approval', PATIENCE_MS);
    const shown = await stage.admin<{ replay: { judged: number; flips: { flip: string; count: number }[] } }>(
      'GET',
      '/api/rollouts/current',
    );
    const { judged, flips } = shown.body.replay;
    assert.ok(judged > 100, `${judged} were judged`);
    assert.ok(
      flips.every(({ flip }) => flip === 'allowed-to-denied'),
      JSON.stringify(flips),
    );
    assert.ok(flips.reduce((sum, { count }) => sum + count, 0) > judged / 2);
    assert.equal((await stage.admin('POST', '/api/rollback', { reason: 'no' })).body.outcome, 'aborted');
    const good = await stage.admin(
      'POST',
      '/api/rollouts',
      stage.document('judged well', { rollout: { replay } }),
    );
    assert.equal(good.status, 202);
    await eventually(async () => (await current()).phase === 'active', PATIENCE_MS);
    assert.equal((await stage.ask(1)).mark, 'judged well');
  });

  it('refuses a second publisher, and one that knows another revision', async () => {
    const slow = { steps: [{ canary: '10%', for: '10m' }] };
    const first = await stage.admin('POST', '/api/rollouts', stage.document('slow', { rollout: slow }));
    assert.equal(first.status, 202);
    const second = await stage.admin('POST', '/api/rollouts', stage.document('other', { rollout: slow }));
    assert.deepEqual([second.status, second.body.code], [409, 'rollout-in-progress']);
    assert.match(second.body.detail, new RegExp(first.body.rollout));
  });

  it('bans and revokes at once, on both sides', async () => {
    await eventually(async () => (await current()).phase === 'canary');
    const { revision, base } = await current();
    const all = (from?: string) => Promise.all(Array.from({ length: 60 }, (_, n) => stage.ask(n, from)));
    const callerOf = async (side: string) => (await all()).findIndex((answer) => answer.revision === side);
    await eventually(async () => (await callerOf(revision)) >= 0);
    const callers = [await callerOf(revision), await callerOf(base)];
    const ban = { address: '127.0.0.2', for: '1m', reason: 'x', force: true };
    assert.equal((await stage.admin('POST', '/api/bans', ban)).status, 201);
    const statuses = async (from?: string) =>
      await Promise.all(callers.map(async (n) => (await stage.ask(n, from)).status));
    assert.deepEqual(await statuses('127.0.0.2'), [403, 403]);
    assert.deepEqual(await statuses(), [200, 200]);
    for (const n of callers) {
      const revoked = await stage.admin('POST', `/api/credentials/caller-${n}-1/revoke`, { reason: 'x' });
      assert.equal(revoked.status, 200, JSON.stringify(revoked.body));
    }
    assert.deepEqual(await statuses(), [401, 401]);
    for (const n of callers) await stage.admin('POST', `/api/credentials/caller-${n}-1/restore`);
    assert.deepEqual(await statuses(), [200, 200]);
  });

  it('takes a new secret at once, for what is live and for what is tried, and begins its step anew', async () => {
    const before = await current();
    const other = 'another-key-of-that-caller-0001';
    const statusOf = async (key: string) =>
      (await fetch(`http://127.0.0.1:${stage.port}/`, { headers: { 'x-api-key': key } })).status;
    assert.equal(await statusOf(other), 401);
    await stage.writeKey(other);
    await eventually(async () => (await statusOf(other)) === 200 && (await statusOf(keyOf(RENEWED))) === 401);
    await eventually(async () => (await current()).history.some(({ act }) => act === 'restarted'));
    await eventually(async () => (await current()).waitsFor === 'the time of this step to pass');
    const { id, phase, revision } = await current();
    assert.deepEqual([id, phase, revision], [before.id, 'canary', before.revision]);
    await stage.writeKey(keyOf(RENEWED));
    await eventually(async () => (await statusOf(keyOf(RENEWED))) === 200);
  });

  it('is ended by a rollback, and a rollback then goes one revision back', async () => {
    const { revision, base } = await current();
    const ended = await stage.admin('POST', '/api/rollback', { reason: 'enough' });
    assert.equal(ended.body.outcome, 'aborted');
    stage.clear();
    await eventually(async () => (stage.answers.get(base)?.get(200) ?? 0) > 100);
    assert.equal(stage.answers.get(revision), undefined);
    const back = await stage.admin('POST', '/api/rollback', { reason: 'further' });
    assert.equal(back.body.outcome, 'activated', JSON.stringify(back.body));
    assert.notEqual(back.body.revision, base);
    const { mark } = await stage.ask(1);
    assert.equal(mark, 'second');
  });

  it('serves after a restart what was gone back to, and the document on disk once that changes', async () => {
    const { revision } = await status();
    // It says nothing of a rollout, and goes the way of what is live.
    const offered = await stage.admin('POST', '/api/rollouts', stage.document('of the API'));
    assert.equal(offered.status, 202);
    await stage.admin('POST', `/api/rollouts/${offered.body.rollout}/promote`, { to: 'active' });
    await eventually(async () => (await current()).phase === 'active');
    const api = await status();
    assert.notEqual(api.revision, revision);
    await stage.rest();
    await stage.program.stop();
    await stage.start();
    assert.deepEqual([(await status()).revision, (await status()).source], [api.revision, 'store']);
    await stage.program.stop();
    await stage.write(stage.document('changed meanwhile'));
    await stage.start();
    assert.equal((await status()).source, 'document');
    assert.equal((await stage.ask(1)).mark, 'changed meanwhile');
    stage.call();
  });

  it('takes a changed file on its way as well, and the next one in its place', async () => {
    const rollout = { steps: [{ canary: '10%', for: '10m' }] };
    await stage.write(stage.document('file one', { rollout }));
    await eventually(async () => (await current()).phase === 'canary');
    const first = await current();
    await stage.write(stage.document('file two', { rollout }));
    await eventually(async () => (await current()).id !== first.id && (await current()).phase === 'canary');
    assert.equal((await stage.admin('GET', `/api/rollouts/${first.id}`)).body.phase, 'superseded');
    await stage.admin('POST', `/api/rollouts/${(await current()).id}/promote`, { to: 'active' });
    await eventually(async () => (await current()).phase === 'active');
    assert.equal((await stage.ask(1)).mark, 'file two');
  });
});
