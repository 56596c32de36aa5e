import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command } from 'commander';
import { documentWith, type Members } from '../../test/fixtures/config.ts';
import { check } from './check.ts';
import type { Terminal } from './terminal.ts';
import { test } from './test.ts';
import { addVersionCommand, packageVersion } from './version.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
after(() => rmSync(folder, { recursive: true }));
const NOW_MS = Date.UTC(2026, 10, 23, 15);

const stranger = (status: number): Members => ({
  name: `a stranger gets ${status}`,
  request: { path: '/' },
  expect: { status },
});
const sound = (...tests: Members[]) => documentWith({ tests }, { policies: [{ 'api-key': {} }] });

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

/** Writes a document and runs a command on it. */
async function run(
  document: unknown,
  command: (file: string, terminal: Terminal) => Promise<number>,
): Promise<{ code: number; stdout: string; stderr: string; file: string }> {
  const file = join(folder, 'gateway.json');
  writeFileSync(file, typeof document === 'string' ? document : JSON.stringify(document, null, 2));
  const terminal = new Captured();
  const code = await command(file, terminal);
  return { code, stdout: terminal.stdout, stderr: terminal.stderr, file };
}

const checked = (document: unknown, format: 'text' | 'json' = 'text') =>
  run(document, (file, terminal) => check(file, format, terminal));
const tested = (document: unknown, format: 'text' | 'json' = 'text') =>
  run(document, (file, terminal) => test(file, format, terminal, NOW_MS));

describe('sallyport check', () => {
  it('refuses with every error, its place and its fix, and no stack', async () => {
    const document = documentWith({ rout: [] }, { upstream: 'orgin', policies: [{ 'rate-limt': {} }] });
    const { code, stdout, stderr, file } = await checked(document);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    const places = [...stderr.matchAll(/^(\S+):(\d+):(\d+)$/gm)].map(([, name, line]) => [
      name,
      Number(line) > 1,
    ]);
    assert.deepEqual(places, [
      [file, true],
      [file, true],
      [file, true],
    ]);
    for (const word of ['rout', 'did you mean "origin"?', 'did you mean "rate-limit"?', '3 errors in']) {
      assert.ok(stderr.includes(word), word);
    }
    assert.doesNotMatch(stderr, /\n\s+at /);
  });

  it('refuses as JSON', async () => {
    const { code, stdout } = await checked(documentWith({}, { upstream: 'orgin' }), 'json');
    const { valid, issues } = JSON.parse(stdout);
    assert.deepEqual([code, valid, issues.length], [1, false, 1]);
    assert.deepEqual(Object.keys(issues[0]).sort(), [
      'column',
      'file',
      'line',
      'message',
      'path',
      'suggestion',
    ]);
    assert.equal(issues[0].path, 'routes[0].upstream');
  });

  it('refuses a file that is not there', async () => {
    const terminal = new Captured();
    assert.equal(await check(join(folder, 'none.yaml'), 'text', terminal), 1);
    assert.match(terminal.stderr, /no such file/);
  });

  it('hides a secret written into the document', async () => {
    const secret = 'hunter2hunter2hunter2';
    const document = documentWith({ consumers: [{ name: 'a', credentials: [{ 'api-key': { secret } }] }] });
    for (const format of ['text', 'json'] as const) {
      const { code, stdout, stderr } = await checked(document, format);
      assert.equal(code, 1);
      assert.doesNotMatch(stdout + stderr, /hunter2/);
    }
  });

  it('takes a sound document and tells its revision', async () => {
    const { code, stdout, stderr } = await checked(sound());
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /1 listener, 1 route, 1 policy\nrevision [0-9a-f]{64}\n$/);
    const json = await checked(sound(), 'json');
    assert.equal(json.code, 0);
    assert.equal(JSON.parse(json.stdout).valid, true);
    assert.ok(stdout.includes(JSON.parse(json.stdout).revision));
  });
});

describe('sallyport test', () => {
  it('fails with what was expected, what came, and who decided', async () => {
    const { code, stdout } = await tested(sound(stranger(401), stranger(403)));
    assert.equal(code, 1);
    assert.equal(
      stdout,
      'ok a stranger gets 401 (route:all/api-key)\n' +
        'not ok a stranger gets 403 (route:all/api-key)\n' +
        '    status: expected 403, got 401\n' +
        '2 tests, 1 failed\n',
    );
  });

  it('fails as JSON', async () => {
    const { code, stdout } = await tested(sound(stranger(403)), 'json');
    const { passed, tests } = JSON.parse(stdout);
    assert.deepEqual([code, passed, tests[0].unmet[0].expected], [1, false, '403']);
  });

  it('fails on a document that is not valid', async () => {
    const { code, stderr } = await tested(documentWith({ rout: [] }));
    assert.equal(code, 1);
    assert.match(stderr, /unknown key "rout"/);
  });

  it('passes', async () => {
    const { code, stdout } = await tested(sound(stranger(401)));
    assert.deepEqual([code, stdout.split('\n').at(-2)], [0, '1 test, all passed']);
  });

  it('says when there are none', async () => {
    const { code, stdout, file } = await tested(sound());
    assert.deepEqual([code, stdout], [0, `${file} has no tests\n`]);
  });
});

describe('sallyport version', () => {
  it('tells the versions and the platform, also as an option', async () => {
    assert.match(packageVersion(), /^\d+\.\d+\.\d+/);
    for (const word of ['version', '--version', '-V']) {
      const terminal = new Captured();
      const program = new Command().exitOverride();
      addVersionCommand(program, terminal);
      await program.parseAsync([word], { from: 'user' }).catch((error) => assert.equal(error.exitCode, 0));
      assert.equal(
        terminal.stdout,
        `sallyport ${packageVersion()}\nnode ${process.versions.node}\nplatform ${process.platform}-${process.arch}\n`,
        word,
      );
    }
  });
});
