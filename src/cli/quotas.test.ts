import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command, CommanderError } from 'commander';
import { makeWorld, TOKEN } from '../../test/fixtures/admin.ts';
import { makeQuotas, makeSharedQuotas, type QuotasUnderTest, useOf } from '../../test/fixtures/quotas.ts';
import { RedisServer } from '../../test/fixtures/redis-server.ts';
import { addQuotaCommands } from './quotas.ts';
import type { Terminal } from './terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-quotas-'));
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

/** A gateway's admin side over quotas, and what runs commands against it. */
async function world<T extends QuotasUnderTest>(quotas: T) {
  const { app } = await makeWorld({ quotas: quotas.desk });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses();
  assert.ok(typeof address === 'object');
  const at = ['--admin', `127.0.0.1:${address.port}`, '--data', folder];
  const run = async (...args: string[]) => {
    const terminal = new Captured();
    const quiet = { writeErr: () => {}, writeOut: () => {} };
    const program = new Command('sallyport').exitOverride().configureOutput(quiet);
    addQuotaCommands(program, terminal);
    for (const command of [...program.commands, ...program.commands.flatMap(({ commands }) => commands)])
      command.exitOverride().configureOutput(quiet);
    const before = process.exitCode;
    await program.parseAsync(['node', 'sallyport', 'quotas', ...args, ...at]);
    const code = process.exitCode;
    process.exitCode = before;
    return { code, out: terminal.stdout, err: terminal.stderr };
  };
  return { ...quotas, run };
}

describe('sallyport quotas', () => {
  it('refuses in words, with its exit code', async () => {
    const { run } = await world(makeQuotas());
    for (const [args, says] of [
      [['reset', '0'.repeat(24)], /Nothing is used of such a quota/],
      [['show', 'x'], /params\/id/],
      [['list', '--after', '0'.repeat(24)], /after is no entry/],
    ] as const) {
      const { code, out, err } = await run(...args);
      assert.deepEqual([code, out], [1, ''], args.join(' '));
      assert.match(err, says);
    }
    for (const args of [
      ['reset'],
      ['grant', 'x'],
      ['grant', 'x', '0'],
      ['grant', 'x', '1.5'],
      ['list', '--limit', 'x'],
    ])
      await assert.rejects(run(...args), CommanderError);
  });

  it('lists, gives back and adds', async () => {
    const { run, charge } = await world(makeQuotas());
    assert.equal((await run()).out, 'Nothing is used of any quota.\n');
    await charge(useOf('ann'));
    await charge(useOf('ann'));
    await charge(useOf('192.0.2.1', { by: 'address', scope: 'z' }));
    const { out } = await run();
    assert.match(out, /^id +attachment +quota +by +caller +used +of +left +renews\n/);
    assert.match(
      out,
      /^[0-9a-f]{24} +route:orders\/quota +hourly +consumer +ann +2 +5 +3 +2026-11-23T16:00:00\.000Z$/m,
    );
    assert.match(out, /address +192\.0\.2\.1 +1 +5 +4/);
    const page = await run('--limit', '1');
    const id = String(/--after ([0-9a-f]{24})\n$/.exec(page.out)?.[1]);
    assert.doesNotMatch((await run('list', '--after', id)).out, /ann/);
    assert.doesNotMatch((await run('--by', 'address')).out, /ann/);
    assert.match((await run('--key', 'ann', '--attachment', 'route:orders/quota')).out, /ann/);
    assert.equal(
      (await run('grant', id, '3', '--reason', 'a busy day')).out,
      'consumer ann has used 2 of 5 and 3 more (hourly), until 2026-11-23T16:00:00.000Z\n',
    );
    assert.match((await run()).out, /ann +2 +5 \+ 3 +6/);
    assert.match((await run('reset', id)).out, /^consumer ann has used 0 of 5 and 3 more/);
    assert.equal(JSON.parse((await run('show', id, '--json')).out).used, 0);
    assert.equal(JSON.parse((await run('--json')).out).quotas.length, 2);
  });

  it('tells and changes what nodes with a shared store have used, and says whom it cannot know', async () => {
    const server = await RedisServer.start();
    const { run, charge, close } = await world(await makeSharedQuotas(server.url));
    try {
      const unseen = /^Callers that this node has not seen in their window are not listed/m;
      assert.match((await run()).out, /^Nothing is used of any quota\.$/m);
      assert.match((await run()).out, unseen);
      await charge(useOf('ann'));
      await charge(useOf('ben'));
      const { out } = await run('--limit', '1');
      assert.match(out, /consumer +ann +1 +5 +4/);
      assert.doesNotMatch(out, unseen, 'there is more');
      const id = String(/^[0-9a-f]{24}/m.exec(out));
      assert.match((await run('list', '--after', id)).out, /ben +1(.|\n)*not seen/);
      assert.match((await run('grant', id, '3')).out, /has used 1 of 5 and 3 more/);
      assert.match((await run('reset', id)).out, /has used 0 of 5 and 3 more/);
      server.pause();
      const { code, err } = await run('reset', id);
      assert.equal(code, 1);
      assert.match(err, /shared store/);
    } finally {
      server.resume();
      await close();
      await server.stop();
    }
  });

  it('writes nothing into the terminal that a caller chose', async () => {
    const { run, charge } = await world(makeQuotas());
    await charge(useOf('\u001b[2Jann\nben'));
    const { out } = await run();
    assert.ok(!out.includes('\u001b') && out.split('\n').length === 3, out);
    const shown = await run('show', String(/^[0-9a-f]{24}/m.exec(out)));
    assert.ok(!shown.out.includes('\u001b') && shown.out.split('\n').length === 2, shown.out);
  });
});
