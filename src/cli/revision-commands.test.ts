import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command } from 'commander';
import { makeWorld, REVISION, TOKEN } from '../../test/fixtures/admin.ts';
import { documentWith, type Members } from '../../test/fixtures/config.ts';
import { ConfigError } from '../errors.ts';
import { openSqliteStore } from '../store/index.ts';
import { addDiffCommand } from './diff.ts';
import { addHistoryCommand } from './history.ts';
import type { Terminal } from './terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-revisions-'));
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

const AT_MS = Date.UTC(2026, 10, 23, 12);
const OLD = `1234${'0'.repeat(60)}`;
const TWIN = `1234${'1'.repeat(60)}`;
const NEWER = `5678${'0'.repeat(60)}`;
const documents: Readonly<Record<string, Members>> = {
  [OLD]: documentWith({}, { policies: [{ 'api-key': {} }] }),
  [TWIN]: documentWith(),
  [NEWER]: documentWith({}, { policies: [{ 'api-key': {} }, { acl: { allow: 'everyone' } }] }),
  [REVISION]: documentWith({}, { policies: [{ 'api-key': {}, mode: 'shadow' }] }),
};

/** Writes a document into a file of its own. */
function file(name: string, document: Members): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(document));
  return path;
}

/** A gateway's admin side with four revisions, and what runs commands against it. */
async function world() {
  const store = openSqliteStore(':memory:');
  const entry = { files: { 'list.txt': 'a' }, author: 'admin', reason: '' };
  for (const [id, document] of Object.entries(documents)) {
    const text = JSON.stringify(document);
    await store.putRevision({ id, document: text, createdAt: AT_MS, ...entry });
  }
  const { app } = await makeWorld({ store: () => store });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses();
  assert.ok(typeof address === 'object');
  const at = ['--admin', `127.0.0.1:${address.port}`, '--data', folder];
  const audit = (action: string, subject: string, detail: Record<string, string | number> = {}) =>
    store.appendAudit({ at: AT_MS, actor: 'admin', action, subject, detail });
  return { run: (...args: string[]) => run(...args, ...at), audit };
}

async function run(...args: string[]) {
  const terminal = new Captured();
  const program = new Command('sallyport').exitOverride();
  addDiffCommand(program, terminal);
  addHistoryCommand(program, terminal);
  process.exitCode = 0;
  await program.parseAsync(args, { from: 'user' });
  const code = process.exitCode;
  process.exitCode = 0;
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

describe('sallyport diff', () => {
  const one = documentWith({}, { policies: [{ 'api-key': {} }] });

  it('compares files, and asks no gateway for them', async () => {
    const [a, b] = [file('a.json', one), file('b.json', documentWith())];
    const { code, stdout } = await run('diff', a, b, '--data', join(folder, 'none'));
    assert.deepEqual([code, stdout.includes('- policy route:all/api-key')], [0, true]);
    const same = await run('diff', a, file('c.json', one));
    assert.equal(same.stdout, `${a} and ${join(folder, 'c.json')} say the same\n`);
  });

  it('gives 1 for a difference where that is asked for', async () => {
    const [a, b] = [file('a.json', one), file('b.json', documentWith())];
    assert.equal((await run('diff', a, b, '--exit-code')).code, 1);
    assert.equal((await run('diff', a, a, '--exit-code')).code, 0);
  });

  it('compares folders, with the files that their documents name', async () => {
    const named = documentWith({}, { policies: [{ 'ip-list': { denyFile: './list.txt' } }] });
    const make = (name: string, list: string): string => {
      mkdirSync(join(folder, name));
      file(join(name, 'gateway.json'), named);
      writeFileSync(join(folder, name, 'list.txt'), list);
      return join(folder, name);
    };
    const { stdout } = await run('diff', make('x', '10.0.0.0/8\n'), make('y', '10.0.0.0/9\n'), '--json');
    const { same, changes } = JSON.parse(stdout);
    assert.equal(same, false);
    assert.deepEqual(changes, [{ kind: 'changed', subject: 'file', name: 'list.txt', path: '', values: [] }]);
  });

  it('compares revisions by the first digits of their ids, the active one and a draft', async () => {
    const gateway = await world();
    const kinds = async (...words: string[]): Promise<string[]> => {
      const { stdout } = await gateway.run('diff', ...words, '--json');
      const changes: { kind: string; name: string }[] = JSON.parse(stdout).changes;
      return changes.map(({ kind, name }) => `${kind} ${name}`);
    };
    assert.deepEqual(await kinds('5678', OLD), ['removed route:all/acl']);
    assert.deepEqual(await kinds('5678', 'active'), ['changed route:all/api-key', 'removed route:all/acl']);
    assert.deepEqual(await kinds(file('a.json', one), 'active'), ['changed route:all/api-key']);
  });

  it('refuses what names nothing, or too much', async () => {
    const gateway = await world();
    const cases: readonly [word: string, told: RegExp][] = [
      ['9999', /no revision begins with "9999"/],
      ['1234', /2 revisions begin with "1234".*write more digits/],
      [`9${'0'.repeat(63)}`, /no such revision/],
    ];
    for (const [word, told] of cases) {
      const { code, stdout, stderr } = await gateway.run('diff', word, 'active');
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, told);
    }
    for (const word of ['123', 'none.yaml', '../etc', '12zz'])
      await assert.rejects(gateway.run('diff', word, 'active'), ConfigError);
  });
});

describe('sallyport history', () => {
  it('says what became of revisions, newest first, and of nothing else', async () => {
    const gateway = await world();
    await gateway.audit('revision.activate', OLD, { origin: 'start', reason: '' });
    await gateway.audit('ban.add', '192.0.2.1');
    await gateway.audit('revision.activate', REVISION, { origin: 'api', reason: 'a \u001b[31mnew rule' });
    await gateway.audit('revision.refuse', '', { origin: 'file', cause: 'routes: is no list' });
    await gateway.audit('rollout.started', 'r-1', {
      revision: NEWER,
      phase: 'check',
      step: 0,
      reason: 'try it',
    });
    await gateway.audit('rollout.checked', 'r-1', { revision: NEWER, phase: 'check', step: 0 });
    await gateway.audit('rollout.replayed', 'r-1', { revision: NEWER, phase: 'replay', step: 0 });
    await gateway.audit('rollout.broken', 'r-1', {
      revision: NEWER,
      phase: 'canary',
      step: 1,
      cause: 'a gate',
    });
    const { code, stdout } = await gateway.run('history');
    assert.equal(code, 0);
    assert.ok(!stdout.includes('\u001b'));
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(rows.slice(1), [
      ['8', '2026-11-23T12:00:00Z', NEWER.slice(0, 12), 'rollout broken, canary 2', 'admin', 'a gate'],
      ['7', '2026-11-23T12:00:00Z', NEWER.slice(0, 12), 'rollout replayed', 'admin'],
      ['5', '2026-11-23T12:00:00Z', NEWER.slice(0, 12), 'rollout started', 'admin', 'try it'],
      ['4', '2026-11-23T12:00:00Z', '-', 'refused', 'admin', 'file', 'routes: is no list'],
      [
        '3',
        '2026-11-23T12:00:00Z',
        REVISION.slice(0, 12),
        'activated (in service)',
        'admin',
        'api',
        'a \ufffd[31mnew rule',
      ],
      ['1', '2026-11-23T12:00:00Z', OLD.slice(0, 12), 'activated', 'admin', 'start'],
    ]);
  });

  it('goes on where a list ended', async () => {
    const gateway = await world();
    for (let i = 0; i < 5; i++) {
      await gateway.audit('revision.activate', OLD);
      await gateway.audit('ban.add', '192.0.2.1');
    }
    const seen: number[] = [];
    let before: string[] = [];
    do {
      const { stdout } = await gateway.run('history', '--limit', '2', '--json', ...before);
      const { entries, next }: { entries: { number: number }[]; next: number | null } = JSON.parse(stdout);
      seen.push(...entries.map(({ number }) => number));
      before = next === null ? [] : ['--before', String(next)];
    } while (before.length > 0);
    assert.deepEqual(seen, [9, 7, 5, 3, 1]);
    assert.match(
      (await gateway.run('history', '--limit', '2')).stdout,
      /\nmore: sallyport history --before 7\n$/,
    );
  });

  it('says that there is none', async () => {
    assert.equal((await (await world()).run('history')).stdout, 'No revision has a history here.\n');
  });
});
