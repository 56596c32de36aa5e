import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command, CommanderError } from 'commander';
import { makeWorld, TOKEN } from '../../test/fixtures/admin.ts';
import type { AdminDeps } from '../control/index.ts';
import { addRecordingCommands } from './recordings.ts';
import type { Terminal } from './terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-recordings-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'admin-token'), `${TOKEN}\n`);

const NOTHING = {
  files: 0,
  bytes: 0,
  fromMs: undefined,
  toMs: undefined,
  requests: 0,
  records: 0,
  completeIntervals: 0,
  sampledIntervals: 0,
  faults: { torn: 0, tampered: 0, foreign: 0 },
};
const SOME = {
  files: 2,
  bytes: 1_234_567,
  fromMs: Date.UTC(2026, 0, 1),
  toMs: Date.UTC(2026, 0, 2),
  requests: 5000,
  records: 1200,
  completeIntervals: 7,
  sampledIntervals: 3,
  faults: { torn: 1, tampered: 2, foreign: 3 },
};

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

async function world(summary: typeof NOTHING | typeof SOME = NOTHING) {
  const cleared: unknown[] = [];
  const recordings: AdminDeps['recordings'] = async () => ({
    summary: async () => summary,
    find: async () => undefined,
    clear: async (beforeMs, reason) => {
      cleared.push({ beforeMs, reason });
      return { deletedFiles: 1, deletedBytes: 1500, bytes: 20 };
    },
  });
  const { app } = await makeWorld({ recordings });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses();
  assert.ok(typeof address === 'object');
  const at = ['--admin', `127.0.0.1:${address.port}`, '--data', folder];
  const run = async (...args: string[]) => {
    const terminal = new Captured();
    const quiet = { writeErr: () => {}, writeOut: () => {} };
    const program = new Command('sallyport').exitOverride().configureOutput(quiet);
    addRecordingCommands(program, terminal);
    for (const command of [...program.commands, ...program.commands.flatMap(({ commands }) => commands)])
      command.exitOverride().configureOutput(quiet);
    const before = process.exitCode;
    await program.parseAsync(['node', 'sallyport', 'recordings', ...args, ...at]);
    const code = process.exitCode;
    process.exitCode = before;
    return { code, out: terminal.stdout };
  };
  return { run, cleared };
}

describe('sallyport recordings', () => {
  it('refuses a time that is none', async () => {
    const { run, cleared } = await world();
    for (const time of ['yesterday', '7', '2026-13-01', '']) {
      await assert.rejects(run('clear', '--before', time), CommanderError);
    }
    assert.deepEqual(cleared, []);
  });

  it('says that there is nothing', async () => {
    assert.deepEqual(await (await world()).run(), { code: 0, out: 'Nothing is recorded yet.\n' });
  });

  it('shows what there is, and what cannot be used', async () => {
    const { out } = await (await world(SOME)).run('show');
    for (const words of [
      '2026-01-01T00:00:00.000Z',
      '5000, of which 1200 are kept',
      '10, of which 7 are complete',
      '1.2 MB in 2 files',
      '1 pieces were not finished',
      '2 pieces were changed',
      '3 pieces need a master key',
    ])
      assert.ok(out.includes(words), `${words} is not in ${out}`);
  });

  it('prints JSON', async () => {
    const { out } = await (await world(SOME)).run('--json');
    assert.equal(JSON.parse(out).requests, 5000);
  });

  it('clears, all or before a time', async () => {
    const { run, cleared } = await world();
    assert.equal((await run('clear')).out, '1 file of 1.5 kB deleted, 20 B left\n');
    await run('clear', '--before', '2026-01-01T00:00:00Z', '--reason', 'on request');
    const agoMs = Date.now();
    await run('clear', '--before', '6h');
    const [all, before, ago] = cleared;
    assert.deepEqual(all, { beforeMs: undefined, reason: '' });
    assert.deepEqual(before, { beforeMs: Date.UTC(2026, 0, 1), reason: 'on request' });
    assert.ok(typeof ago === 'object' && ago !== null && 'beforeMs' in ago);
    assert.ok(Math.abs(Number(ago.beforeMs) - (agoMs - 6 * 3_600_000)) < 60_000);
  });
});
