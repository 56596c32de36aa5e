import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { REVISION as ACTIVE, makeWorld, TOKEN } from '../../test/fixtures/admin.ts';
import { CapturedTerminal, commandsFor } from '../../test/fixtures/commands.ts';
import { BASE, cohort, EMPTY_PLAN, REVISION } from '../../test/fixtures/rollouts/rollout-parts.ts';
import { RunnerWorld } from '../../test/fixtures/rollouts/runner-world.ts';
import type { AdminDeps, DocumentOffer, OfferResult } from '../control/admin/index.ts';
import { AdminApi } from './admin-client.ts';
import { openCheckout } from './checkout.ts';
import { addPublishCommand, documentText } from './publish.ts';
import { addRollbackCommand } from './rollback.ts';
import { addRolloutCommands } from './rollout.ts';
import { Sync } from './sync.ts';

const CANARY = {
  ...EMPTY_PLAN,
  gates: { ...EMPTY_PLAN.gates, denyRate: 0.2 },
  steps: [
    { cohort: cohort(0.05), forMs: 1000 },
    { cohort: cohort(0.5), forMs: 1000 },
  ],
};

const folder = mkdtempSync(join(tmpdir(), 'sallyport-rollout-commands-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'gateway.yaml');
writeFileSync(file, 'sallyport: 1\nlisteners: []\n');

/** A gateway in which an offer goes its way, or what else becomes of it. */
async function world(result?: OfferResult, plan = CANARY) {
  const runner = new RunnerWorld();
  const offers: DocumentOffer[] = [];
  const publisher: AdminDeps['publisher'] = {
    activatedAtMs: 1,
    refusal: undefined,
    publish: async (offer) => {
      offers.push(offer);
      if (result !== undefined) return result;
      const { id: rollout } = await runner.begin(plan);
      return { outcome: 'rollout', revision: REVISION, rollout };
    },
  };
  const clock = { now: () => runner.now, monotonic: () => runner.now };
  const { app } = await makeWorld({
    clock,
    publisher,
    rollouts: () => runner.desk,
    store: () => runner.store,
  });
  const run = await commandsFor(app, (program, terminal) => {
    addPublishCommand(program, terminal);
    addRolloutCommands(program, terminal);
    addRollbackCommand(program, terminal);
  });
  return { run, runner, offers, app };
}

const lines = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Lets the rollout's time pass while a command follows it. */
function passing(runner: RunnerWorld): () => void {
  const timer = setInterval(() => void runner.pass(500), 20);
  return () => clearInterval(timer);
}

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

describe('sallyport sync', () => {
  const git = (dir: string, ...args: string[]) => {
    const who = { GIT_AUTHOR_NAME: 'Ánn', GIT_AUTHOR_EMAIL: 'ann@example.com' };
    const env = { ...process.env, ...who, GIT_COMMITTER_NAME: 'c', GIT_COMMITTER_EMAIL: 'c@example.com' };
    return execFileSync('git', ['-C', dir, ...args], { env, encoding: 'utf8' });
  };

  async function checkout(result: OfferResult | undefined) {
    const dir = mkdtempSync(join(folder, 'checkout-'));
    const document = join(dir, 'gateway.yaml');
    const { app, offers, runner } = await world(result);
    const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }).catch(() => addressOf(app)));
    const api = new AdminApi({ host: '127.0.0.1', port: Number(port) }, TOKEN);
    const terminal = new CapturedTerminal();
    const text = () => documentText(document);
    const sync = async () =>
      new Sync(await openCheckout(dir, document, text), api, { terminal, isText: false, document, text });
    return { dir, document, offers, runner, sync, terminal };
  }

  const ACTIVATED: OfferResult = { outcome: 'activated', revision: REVISION };

  it('publishes each commit once, by its author and for its reason', async () => {
    const { dir, document, offers, sync, terminal } = await checkout(ACTIVATED);
    git(dir, 'init', '-q');
    writeFileSync(document, 'one');
    assert.equal(await (await sync()).look(), 1);
    assert.match(terminal.stdout, /not committed/);
    assert.equal(offers.length, 0);
    git(dir, 'add', '.');
    git(dir, 'commit', '-q', '-m', 'limit orders\n\nmore words');
    const first = await sync();
    for (let i = 0; i < 2; i++) assert.equal(await first.look(), 0);
    // Another process remembers as well.
    assert.equal(await (await sync()).look(), 0);
    assert.deepEqual(
      offers.map(({ text, actor, reason }) => [text, actor, reason.slice(0, 'limit orders ('.length)]),
      [['one', 'admin as Ánn <ann@example.com>', 'limit orders (']],
    );
    writeFileSync(document, 'two');
    assert.equal(await first.look(), 1);
    git(dir, 'commit', '-q', '-a', '-m', 'next');
    assert.equal(await first.look(), 0);
    assert.deepEqual(
      offers.map(({ text }) => text),
      ['one', 'two'],
    );
    assert.equal(git(dir, 'status', '--porcelain'), '');
  });

  it('offers one that is refused no more, and one that came at the wrong time again', async () => {
    const refused: OfferResult = { outcome: 'refused', revision: undefined, issues: [] };
    const busy: OfferResult = { outcome: 'busy', revision: BASE, rollout: 'r1' };
    for (const [result, times] of [
      [refused, 1],
      [busy, 2],
    ] as const) {
      const { dir, document, offers, sync } = await checkout(result);
      git(dir, 'init', '-q');
      writeFileSync(document, 'one');
      git(dir, 'add', '.');
      git(dir, 'commit', '-q', '-m', 'first');
      const one = await sync();
      assert.equal(await one.look(), 1);
      await one.look();
      assert.equal(offers.length, times, result.outcome);
    }
  });

  it('says each time that what is there did not go live, also to another process', async () => {
    const issues = [{ path: 'routes', message: 'is wrong' }];
    const refused = await checkout({ outcome: 'refused', revision: undefined, issues });
    const broken = await checkout(undefined);
    broken.runner.verdict = 'broken';
    const stop = passing(broken.runner);
    for (const [{ dir, document, offers, sync, terminal }, says] of [
      [refused, /gateway\.yaml of [0-9a-f]{12} was refused/],
      [broken, /gateway\.yaml of [0-9a-f]{12} ended before it was live/],
    ] as const) {
      git(dir, 'init', '-q');
      writeFileSync(document, 'one');
      git(dir, 'add', '.');
      git(dir, 'commit', '-q', '-m', 'first');
      const first = await sync();
      assert.equal(await first.look(), 1);
      terminal.stdout = '';
      assert.equal(await first.look(), 1);
      assert.equal(terminal.stdout, '', 'one that goes on looking has said it');
      for (let run = 0; run < 2; run++) {
        terminal.stdout = '';
        assert.equal(await (await sync()).look(), 1);
        assert.match(lines(terminal.stdout)[0].error.detail, says);
      }
      assert.equal(offers.length, 1);
      writeFileSync(document, 'two');
      git(dir, 'commit', '-q', '-a', '-m', 'second');
      await (await sync()).look();
      assert.equal(offers.length, 2);
    }
    stop();
  });

  it('goes by content where there is no git', async () => {
    const { document, offers, sync } = await checkout(ACTIVATED);
    writeFileSync(document, 'one');
    const one = await sync();
    for (const text of ['one', 'one', 'two']) {
      writeFileSync(document, text);
      assert.equal(await one.look(), 0);
    }
    assert.deepEqual(
      offers.map(({ text, actor }) => [text, actor]),
      [
        ['one', 'admin as sync'],
        ['two', 'admin as sync'],
      ],
    );
  });

  it('runs nothing that the checkout names', async () => {
    const { dir, document, sync } = await checkout(ACTIVATED);
    git(dir, 'init', '-q');
    const trap = join(dir, 'trapped');
    const hook = join(dir, '.git', 'fsmonitor.sh');
    writeFileSync(hook, `#!/bin/sh\ntouch '${trap}'\n`, { mode: 0o755 });
    git(dir, 'config', 'core.fsmonitor', hook);
    writeFileSync(document, 'one');
    git(dir, '-c', 'core.fsmonitor=false', 'add', 'gateway.yaml');
    git(dir, '-c', 'core.fsmonitor=false', 'commit', '-q', '-m', 'first');
    assert.equal(await (await sync()).look(), 0);
    assert.equal(existsSync(trap), false);
    git(dir, 'status');
    assert.equal(existsSync(trap), true, 'this is what git by itself would have run');
  });

  it('takes what git cannot read for no plain folder', async () => {
    const { dir, document, offers, sync } = await checkout(ACTIVATED);
    git(dir, 'init', '-q');
    writeFileSync(document, 'one');
    writeFileSync(join(dir, '.git', 'config'), '[core]\nrepositoryformatversion = 99\n');
    await assert.rejects(sync(), { name: 'ConfigError' });
    rmSync(join(dir, '.git', 'config'));
    rmSync(join(dir, '.git', 'HEAD'));
    await assert.rejects(sync(), { name: 'ConfigError' });
    assert.equal(offers.length, 0);
  });
});

function addressOf(app: { addresses(): readonly unknown[] }): string {
  const [address] = app.addresses();
  assert.ok(typeof address === 'object' && address !== null && 'port' in address);
  return `http://127.0.0.1:${address.port}`;
}
