import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command, CommanderError } from 'commander';
import { makeWorld, TOKEN } from '../../test/fixtures/admin.ts';
import { addresses, feedPlan, feedWorld } from '../../test/fixtures/feeds.ts';
import { Feeds } from '../control/live/feeds.ts';
import { createMeter } from '../observability/index.ts';
import { openSqliteStore } from '../store/index.ts';
import { addBanCommands } from './bans.ts';
import { addListCommands } from './lists.ts';
import type { Terminal } from './terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-addresses-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'admin-token'), `${TOKEN}\n`);

class Captured implements Terminal {
  readonly colours = false;
  stdout = '';
  stderr = '';

  out(text: string): void {
    this.stdout += text;
  }

  error(text: string): void {
    this.stderr += text;
  }
}

/** A gateway's admin side with one list, and what runs commands against it. */
async function world() {
  const store = openSqliteStore(':memory:');
  const feed = feedWorld(store);
  const lists = new Feeds({
    ...feed.deps,
    meter: createMeter(),
    random: { hex: () => '7fff' },
    publish: async () => {},
    schedule: () => {},
  });
  feed.source.text = addresses(100);
  await lists.offer([feedPlan()]);
  lists.follow({ feeds: [feedPlan()], inline: { drop: 1, kept: 2 } });
  const { app } = await makeWorld({ lists, store: () => store });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses();
  assert.ok(typeof address === 'object');
  const at = ['--admin', `127.0.0.1:${address.port}`, '--data', folder];
  const run = async (...args: string[]) => {
    const terminal = new Captured();
    const program = new Command('sallyport')
      .exitOverride()
      .configureOutput({ writeErr: () => {}, writeOut: () => {} });
    addBanCommands(program, terminal);
    addListCommands(program, terminal);
    for (const command of [...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
      command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
    }
    const before = process.exitCode;
    await program.parseAsync(['node', 'sallyport', ...args, ...at]);
    const code = process.exitCode;
    process.exitCode = before;
    return { code, out: terminal.stdout, err: terminal.stderr };
  };
  return { ...feed, lists, run };
}

describe('sallyport ban', () => {
  it('refuses in words, with its exit code', async () => {
    const { run } = await world();
    for (const [args, says] of [
      [['ban', 'me'], /not an IP address/],
      [['ban', '10.0.0.0/8'], /private network.*force/],
      [['ban', '127.0.0.1', '--force'], /asking from/],
      [['ban', '203.0.113.9', '--reason', '\u001b[2J'], /body\/reason/],
      [['unban', '203.0.113.9'], /no such ban/],
    ] as const) {
      const { code, out, err } = await run(...args);
      assert.deepEqual([code, out], [1, ''], args.join(' '));
      assert.match(err, says);
    }
    for (const args of [
      ['ban'],
      ['ban', '203.0.113.9', '--for', 'ever'],
      ['ban', '203.0.113.9', '--until', '1h'],
      ['ban', '203.0.113.9', '--as', 'a\nb'],
      ['unban', '203.0.113.9', '--as', ''],
    ]) {
      await assert.rejects(run(...args), CommanderError);
    }
    assert.match((await run('bans')).out, /Nobody is banned/);
  });

  it('bans, lists and ends bans', async () => {
    const { run } = await world();
    const made = await run('ban', '203.0.113.9', '--for', '30m', '--reason', 'scans', '--as', 'Ánn & co');
    assert.equal(made.code, 0);
    assert.match(made.out, /^203\.0\.113\.9\/32 is banned until 2026-11-23T00:30:00\.000Z \(\w+\)\n$/);
    const { bans } = JSON.parse((await run('bans', '--json')).out);
    assert.equal(Date.parse(bans[0].until) - Date.parse(bans[0].since), 1_800_000);
    assert.match(
      (await run('bans')).out,
      /^id .*\n\w+ +203\.0\.113\.9\/32 +\S+ +admin as Ánn & co +scans\n$/,
    );
    const lifted = await run('unban', '203.0.113.9', '--as', 'ben=a&b');
    assert.match(lifted.out, /203\.0\.113\.9\/32 is no longer banned/);
    assert.match((await run('bans')).out, /Nobody/);
  });

  it('says what of an IPv6 address is banned', async () => {
    const { run } = await world();
    assert.match((await run('ban', '2001:db8::1')).out, /^2001:db8::\/64 is banned/);
  });
});

describe('sallyport lists', () => {
  it('shows all of them, and one', async () => {
    const { run } = await world();
    const { out } = await run('lists');
    assert.match(out, /^drop +101 +fresh +\S+ +https:\/\/feeds\.example\/drop\.txt$/m);
    assert.match(out, /^kept +2 +kept by hand +- +the document$/m);
    assert.match((await run('lists', 'drop')).out, /^last attempt .* applied: 100 added, 0 removed$/m);
    assert.equal(JSON.parse((await run('lists', 'kept', '--json')).out).inline, 2);
    const none = await run('lists', 'none');
    assert.deepEqual([none.code, none.out], [1, '']);
    assert.match(none.err, /no list "none"/);
  });

  it('takes a refresh through to a decision', async () => {
    const { run, source, lists } = await world();
    const first = lists.status()[0].version ?? '';
    source.text = addresses(100, 60);
    const refreshed = await run('lists', 'refresh', 'drop');
    assert.match(refreshed.out, /^held: it changes 120 %/);
    const held = lists.status()[0].held?.version ?? '';
    assert.ok(refreshed.out.includes(`sallyport lists approve drop ${held.slice(0, 12)}`));
    assert.match((await run('lists')).out, /^drop +101 +held/m);
    const diff = (await run('lists', 'diff', 'drop', '--limit', '1')).out;
    assert.match(
      diff,
      /60 added, 60 removed\n\+ 203\.0\.112\.100\/32\n\+ 59 more\n- 203\.0\.112\.0\/32\n- 59 more\n$/,
    );
    assert.match(
      (await run('lists', 'diff', 'drop', '--from', held.slice(0, 8), '--to', first)).out,
      /60 added/,
    );

    const wrong = await run('lists', 'approve', 'drop', 'ffff');
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /is no version of the list "drop"/);
    const older = await run('lists', 'approve', 'drop', first.slice(0, 12));
    assert.match(older.err, /does not wait for approval/);
    assert.equal((await run('lists', 'approve', 'drop', held.slice(0, 12))).code, 0);
    assert.equal(lists.status()[0].version, held);
    assert.match(
      (await run('lists', 'versions', 'drop')).out,
      new RegExp(`^${held.slice(0, 12)} +100 `, 'm'),
    );

    assert.match(
      (await run('lists', 'rollback', 'drop', first, '--reason', 'a partner')).out,
      /state +pinned/,
    );
    assert.match((await run('lists', 'refresh', 'drop')).out, /^pinned/);
    assert.match((await run('lists', 'release', 'drop')).out, /^held/);
    assert.equal((await run('lists', 'reject', 'drop', held.slice(0, 12))).code, 0);
    assert.match((await run('lists', 'refresh', 'drop')).out, /^rejected/);
    assert.equal(lists.status()[0].version, first);
  });

  it('never asks the wrong gateway: options stand behind the command', async () => {
    const { run } = await world();
    await assert.rejects(run('lists', '--limit', '1', 'diff', 'drop'), CommanderError);
    await assert.rejects(run('lists', 'drop', 'none'), CommanderError);
  });
});
