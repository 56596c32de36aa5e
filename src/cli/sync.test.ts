import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { TOKEN } from '../../test/fixtures/admin.ts';
import { CapturedTerminal } from '../../test/fixtures/commands.ts';
import {
  folder,
  lines,
  passing,
  rolloutCommands as world,
} from '../../test/fixtures/rollouts/rollout-commands.ts';
import { BASE, REVISION } from '../../test/fixtures/rollouts/rollout-parts.ts';
import type { OfferResult } from '../control/admin/index.ts';
import { AdminApi } from './admin-client.ts';
import { openCheckout } from './checkout.ts';
import { documentText } from './publish.ts';
import { Sync } from './sync.ts';

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

  it('tells in text what it has done where text is asked for', async () => {
    const { run } = await world(ACTIVATED);
    const dir = mkdtempSync(join(folder, 'plain-'));
    writeFileSync(join(dir, 'gateway.yaml'), 'sallyport: 1\n');
    const sync = ['sync', dir, '--once'];
    assert.equal((await run([...sync, '--format', 'text'])).out, 'cccccccccccc is live\n');
    assert.equal(lines((await run(sync)).out)[0].outcome, 'activated');
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
