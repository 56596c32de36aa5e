import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { REVISION as ACTIVE } from '../../test/fixtures/admin.ts';
import {
  CANARY,
  file,
  lines,
  passing,
  rolloutCommands as world,
} from '../../test/fixtures/rollouts/rollout-commands.ts';
import { BASE, EMPTY_PLAN, REVISION } from '../../test/fixtures/rollouts/rollout-parts.ts';
import type { OfferResult } from '../control/admin/index.ts';

describe('sallyport publish', () => {
  const refusals: readonly [OfferResult, code: string][] = [
    [{ outcome: 'stale', revision: BASE }, 'precondition-failed'],
    [{ outcome: 'busy', revision: BASE, rollout: 'r1' }, 'rollout-in-progress'],
    [
      {
        outcome: 'refused',
        revision: undefined,
        issues: [{ path: 'routes[0]', message: 'is wrong', file: 'document', line: 2, column: 1 }],
      },
      'invalid-document',
    ],
  ];
  for (const [result, word] of refusals) {
    it(`exits with 1 and says ${word}`, async () => {
      const { run } = await world(result);
      const { code, out, err } = await run(['publish', file]);
      assert.equal(code, 1);
      assert.equal(err, '');
      const [{ error }] = lines(out);
      assert.equal(error.code, word);
      const issues = [{ path: 'routes[0]', message: 'is wrong', line: 2, column: 1 }];
      assert.deepEqual(error.issues, result.outcome === 'refused' ? issues : undefined);
    });
  }

  it('shows what has to be merged where another revision is live by now', async () => {
    const { run, runner } = await world({ outcome: 'stale', revision: BASE });
    for (const [id, name] of [
      [BASE, 'a'],
      [ACTIVE, 'b'],
    ]) {
      const document = JSON.stringify({
        sallyport: 1,
        routes: [{ name, match: { path: '/' }, upstream: 'u' }],
      });
      await runner.store.putRevision({ id, document, files: {}, createdAt: 1, author: 'ann', reason: '' });
    }
    const { code, out } = await run(['publish', file, '--expect', BASE]);
    assert.equal(code, 1);
    const [{ error }, diff] = lines(out);
    assert.equal(error.code, 'precondition-failed');
    assert.equal(diff.from, BASE);
    assert.ok(Array.isArray(diff.changes) && diff.changes.length > 0);
    assert.match((await run(['publish', file, '--expect', BASE], 'live')).err, /What changed since aaaa/);
  });

  it('says that there is no diff with a revision that is not kept', async () => {
    const { run } = await world({ outcome: 'stale', revision: BASE });
    const { code, err } = await run(['publish', file, '--expect', 'f'.repeat(64)], 'live');
    assert.equal(code, 1);
    assert.match(err, /^refused: .+\nThe expected revision is not kept here, so there is no diff\.\n$/);
    const { out } = await run(['publish', file, '--expect', 'f'.repeat(64)]);
    assert.equal(lines(out).length, 1);
  });

  it('shows a person where a document is wrong', async () => {
    const issues = [{ path: 'listeners', message: 'is empty', file: 'document', line: 2, column: 1 }];
    const { run } = await world({ outcome: 'refused', revision: undefined, issues });
    const { code, err } = await run(['publish', file], 'live');
    assert.equal(code, 1);
    assert.ok(err.includes(`${file}:2:1`) && err.includes('listeners: []'), err);
  });

  it('shows a person what is most probably not meant so, and takes it all the same', async () => {
    const finding = {
      rule: 'unauthenticated-route',
      severity: 'warning',
      path: 'listeners',
      message: 'anybody may call it',
      fix: 'say who may',
      docs: 'docs/checks.md#unauthenticated-route',
      file: 'document',
      line: 2,
      column: 1,
    } as const;
    const { run } = await world({ outcome: 'activated', revision: REVISION, findings: [finding] });
    const { code, err } = await run(['publish', file], 'live');
    assert.equal(code, 0);
    assert.ok(err.includes(`${file}:2:1`) && err.includes('warning unauthenticated-route'), err);
  });

  it('sends the document as it is, with who asks, why and on what', async () => {
    const { run, offers } = await world({ outcome: 'unchanged', revision: REVISION });
    const { code, out } = await run(['publish', file, '--as', 'Ánn', '--reason', 'a & b', '--expect', BASE]);
    assert.equal(code, 0);
    assert.equal(lines(out)[0].outcome, 'unchanged');
    const text = 'sallyport: 1\nlisteners: []\n';
    assert.deepEqual(offers, [{ text, actor: 'admin as Ánn', reason: 'a & b', expectedRevision: BASE }]);
  });

  it('follows it until it is live', async () => {
    const { run, runner } = await world();
    const stop = passing(runner);
    const { code, out } = await run(['publish', file]);
    stop();
    assert.equal(code, 0);
    const phases = lines(out).map(({ phase }) => phase);
    assert.equal(phases.at(-1), 'active');
    assert.ok(phases.includes('canary'), phases.join());
  });

  it('exits with 1 when it is rolled back, with the evidence', async () => {
    const { run, runner } = await world();
    runner.verdict = 'broken';
    const stop = passing(runner);
    const { code, out } = await run(['publish', file]);
    stop();
    assert.equal(code, 1);
    const last = lines(out).at(-1);
    assert.equal(last.phase, 'rolled-back');
    assert.equal(last.history.at(-1).evidence.kind, 'trial');
  });

  it('exits with 3 when it does not wait', async () => {
    const { run } = await world(undefined, { ...CANARY, approvals: 1 });
    const { code, out } = await run(['publish', file, '--no-wait']);
    assert.equal(code, 3);
    assert.deepEqual(lines(out), [{ outcome: 'rollout', revision: REVISION, rollout: 'r1', findings: [] }]);
  });

  it('writes its view over where a person looks', async () => {
    const { run, runner } = await world();
    const stop = passing(runner);
    const { out } = await run(['publish', file], 'live');
    stop();
    assert.match(out, /● canary 5%/);
    assert.match(out, /\u001b\[\d+F\u001b\[J/);
    assert.match(out, /✓ active\s/);
  });

  it('writes a line of text for each change where nobody looks and text is asked for', async () => {
    const { run, runner } = await world();
    const stop = passing(runner);
    const { code, out } = await run(['publish', file, '--format', 'text']);
    stop();
    assert.equal(code, 0);
    const [head, ...changes] = out.trimEnd().split('\n');
    assert.match(head, /^Rollout r1 {2}a{12} → c{12} {2}by ann/);
    for (const change of changes) assert.match(change, /^1970-01-01T00:\d\d:\d\dZ {2}\w/);
    const places = changes.map((change) => change.replace(/^\S+ +|,.*/g, ''));
    // How it is on its way hangs on when it was looked at.
    const onItsWay = ['check', 'tests', 'canary 5%', 'canary 50%', 'activating'];
    assert.deepEqual(
      places.filter((place) => !onItsWay.includes(place)),
      ['active'],
    );
    assert.ok(places.length > 1 && places.at(-1) === 'active', out);
    assert.equal(new Set(changes).size, changes.length);
    assert.equal((await run(['publish', file, '--format', 'text', '--json', '--no-wait'])).out[0], '{');
  });

  it('says in text why it was rolled back', async () => {
    const { run, runner } = await world();
    runner.verdict = 'broken';
    const stop = passing(runner);
    const { code, out } = await run(['publish', file, '--format', 'text']);
    stop();
    assert.equal(code, 1);
    assert.match(out, /^1970-\S+Z {2}rolled-back$/m);
    assert.match(out, /^ +candidate +0/m);
    assert.equal(out.includes('\u001b'), false);
  });

  it('is used wrongly with half a revision, or a name of two lines', async () => {
    const { run, offers } = await world();
    await assert.rejects(run(['publish', file, '--expect', 'abc']));
    await assert.rejects(run(['publish', file, '--as', 'a\nb']));
    assert.deepEqual(offers, []);
  });
});

describe('sallyport rollout', () => {
  it('says that there is none', async () => {
    const { run } = await world();
    for (const command of ['status', 'watch', 'pause', 'approve', 'promote', 'abort']) {
      const { code } = await run(['rollout', command]);
      assert.equal(code, 1, command);
    }
  });

  it('shows where it is, and what a broken gate has seen', async () => {
    const { run, runner } = await world();
    await runner.begin(CANARY);
    await runner.pass(250);
    const { code, out } = await run(['rollout', 'status']);
    assert.equal(code, 0);
    assert.match(out, /● canary 5% {2,}time is over/);
    assert.match(out, /○ canary 50% +1s/);
    assert.match(out, /waits for the time of this step/);
    runner.verdict = 'broken';
    await runner.pass(250);
    const ended = await run(['rollout', 'status']);
    assert.match(ended.out, /✗ canary 5%/);
    assert.match(ended.out, /rolled-back/);
    assert.match(ended.out, /candidate +0/);
  });

  it('is the same as JSON', async () => {
    const { run, runner } = await world();
    await runner.begin(CANARY);
    const { out } = await run(['rollout', 'status', '--json']);
    assert.equal(JSON.parse(out).revision, REVISION);
  });

  it('pauses, resumes, promotes and aborts', async () => {
    const { run, runner } = await world();
    await runner.begin(CANARY);
    await runner.settled();
    const as = ['--as', 'ann', '--reason', 'so'];
    assert.match((await run(['rollout', 'pause', ...as])).out, /paused by admin as ann/);
    assert.equal((await run(['rollout', 'pause', ...as])).code, 1);
    assert.equal((await run(['rollout', 'resume', ...as])).code, 0);
    await run(['rollout', 'promote', ...as]);
    assert.equal(await runner.settled(), 'canary 1');
    const { code, out } = await run(['rollout', 'abort', ...as]);
    assert.equal(code, 0);
    assert.match(out, /aborted by admin as ann: so/);
    assert.equal(runner.workers.candidate, undefined);
  });

  it('approves what it shows, and nothing else', async () => {
    const { run, runner } = await world();
    await runner.begin({ ...EMPTY_PLAN, approvals: 1 });
    const stale = await run(['rollout', 'approve', '--as', 'ben', '--evidence', 'f'.repeat(64)]);
    assert.equal(stale.code, 1);
    assert.equal(runner.runner.open?.approvals.length, 0);
    assert.equal((await run(['rollout', 'approve', '--as', 'ben'])).code, 0);
    assert.equal(await runner.settled(), 'active');
  });

  it('shows whom it waits for, and how one agrees to what is shown', async () => {
    const { run, runner } = await world();
    await runner.begin({ ...EMPTY_PLAN, approvals: 1 });
    const promoted = await run(['rollout', 'promote']);
    assert.equal(promoted.code, 1);
    assert.match(
      promoted.err,
      /phase .+: approval\. "sallyport rollout approve" .+ "sallyport rollout abort"/,
    );
    const { out } = await run(['rollout', 'status']);
    const [, command = ''] =
      /agree with {2}sallyport (rollout approve --evidence [0-9a-f]{64})$/m.exec(out) ?? [];
    const agreed = await run([...command.split(' '), '--as', 'ben']);
    assert.equal(agreed.code, 0);
    assert.doesNotMatch(agreed.out, /agree with/);
    assert.equal(await runner.settled(), 'active');
  });

  it('is watched in text where nobody looks and text is asked for', async () => {
    const { run, runner } = await world();
    await runner.begin({ ...EMPTY_PLAN, approvals: 1 });
    const watched = run(['rollout', 'watch', '--format', 'text']);
    await run(['rollout', 'approve', '--as', 'ben']);
    const { code, out } = await watched;
    assert.equal(code, 0);
    assert.match(
      out,
      /^\S+Z {2}approval, waits for 1 approval .+: sallyport rollout approve --evidence \w{64}$/m,
    );
    assert.match(out, /^\S+Z {2}active/m);
    assert.equal(out.includes('\u001b'), false);
  });

  it('is watched to its end', async () => {
    const { run, runner } = await world();
    await runner.begin(CANARY);
    const stop = passing(runner);
    const { code, out } = await run(['rollout', 'watch']);
    stop();
    assert.equal(code, 0);
    assert.equal(lines(out).at(-1).phase, 'active');
  });
});

describe('sallyport rollback', () => {
  it('ends what is under way', async () => {
    const { run, runner } = await world();
    await runner.begin(CANARY);
    const { code, out } = await run(['rollback', '--reason', 'bad']);
    assert.equal(code, 0);
    assert.match(out, /Rollout r1 is ended/);
  });

  it('goes to a revision by its first digits', async () => {
    const { run, runner } = await world();
    const before = `${'1'.repeat(8)}${'2'.repeat(56)}`;
    for (const id of ['1'.repeat(64), before]) {
      const texts = { document: `# ${id}`, files: {}, author: 'ann', reason: '' };
      await runner.store.putRevision({ id, createdAt: 1, ...texts });
      await runner.store.setActive(id, 1);
    }
    for (const wrong of ['22222222', '11111111']) assert.equal((await run(['rollback', wrong])).code, 1);
    await assert.rejects(run(['rollback', '123']));
    const { code, out } = await run(['rollback', before.slice(0, 9)]);
    assert.equal(code, 0);
    assert.equal(out, 'Revision 111111112222 is live.\n');
    const { out: json } = await run(['rollback', '1'.repeat(64), '--json']);
    assert.equal(JSON.parse(json).revision, '1'.repeat(64));
  });
});
