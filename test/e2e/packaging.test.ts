import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '../fixtures/gateway.ts';
import { Program, ROOT, temporaryFolder } from '../fixtures/process.ts';

const execute = promisify(execFile);

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

describe('the published package', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let packed: Packed;
  before(async () => {
    folder = await temporaryFolder();
    // As a developer who has tried the quickstart: its key is there, and must not be published.
    await copyProject(path.join(folder.path, 'project'));
    await writeFile(path.join(folder.path, 'project/examples/quickstart/demo.key'), 'a secret', {
      mode: 0o600,
    });
    packed = await pack(path.join(folder.path, 'project'));
    await mkdir(path.join(folder.path, 'user'));
    await npm(['init', '--yes'], path.join(folder.path, 'user'));
    const tarball = path.join(folder.path, 'project', packed.filename);
    const quiet = ['--prefer-offline', '--no-audit', '--no-fund'];
    await npm(['install', ...quiet, tarball], path.join(folder.path, 'user'));
  });
  after(() => folder.remove());

  const user = (): string => path.join(folder.path, 'user');
  const sallyport = (...args: string[]): Program =>
    new Program(args, { cwd: user(), program: path.join(user(), 'node_modules/.bin/sallyport') });

  it('holds what is needed, and neither sources, tests nor secrets', () => {
    const paths = packed.files.map((file) => file.path);
    for (const needed of [
      'bin/sallyport',
      'dist/main.js',
      'dist/worker.js',
      'schema/sallyport.schema.json',
      'LICENSE',
    ]) {
      assert.ok(paths.includes(needed), `${needed} is missing`);
    }
    assert.deepEqual(
      paths.filter((p) => /(\.test\.|story\.ts$|^src\/|^test\/|\.key$|\.data)/.test(p)),
      [],
    );
  });

  it('tells its version', async () => {
    const program = sallyport('version');
    assert.equal(await program.exit(), 0, program.stderr);
    const { version } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));
    assert.match(program.stdout, new RegExp(`^sallyport ${version.replaceAll('.', '\\.')}$`, 'm'));
  });

  it('checks a document', async () => {
    await writeFile(path.join(user(), 'bad.yaml'), 'sallyport: 1\nlisteners: []\n');
    const bad = sallyport('check', 'bad.yaml');
    assert.equal(await bad.exit(), 1);
    assert.match(bad.stderr, /bad\.yaml:2/);
  });

  it('serves the quickstart', async () => {
    const [gateway, demo] = [await freePort(), await freePort()];
    const quickstart = path.join(user(), 'node_modules/sallyport/examples/quickstart/gateway.yaml');
    const text = await readFile(quickstart, 'utf8');
    await writeFile(
      path.join(user(), 'gateway.yaml'),
      text.replace(':8080', `:${gateway}`).replace(':8099', `:${demo}`),
    );
    const admin = `127.0.0.1:${await freePort()}`;
    const program = sallyport('run', '--demo', `127.0.0.1:${demo}`, '--admin', admin, '--records', 'none');
    try {
      await program.says(/Sallyport serves/);
      const key = (await readFile(path.join(user(), 'demo.key'), 'utf8')).trim();
      const hello = await fetch(`http://127.0.0.1:${gateway}/hello`, { headers: { 'x-api-key': key } });
      assert.equal(hello.status, 200);
      const ready = await fetch(`http://${admin}/readyz`);
      assert.equal(ready.status, 200);
    } finally {
      await program.stop();
    }
  });
});

/** What is packed from, without touching the checkout: other tests run in it. */
async function copyProject(to: string): Promise<void> {
  await mkdir(to);
  const parts = [
    'bin',
    'src',
    'schema',
    'scripts',
    'examples',
    'package.json',
    'package-lock.json',
    'README.md',
  ];
  parts.push('tsconfig.json', 'tsconfig.build.json', 'CHANGELOG.md', 'LICENSE', 'SECURITY.md');
  for (const part of parts.filter((p) => existsSync(path.join(ROOT, p))))
    await cp(path.join(ROOT, part), path.join(to, part), { recursive: true });
  await symlink(path.join(ROOT, 'node_modules'), path.join(to, 'node_modules'));
}

async function pack(project: string): Promise<Packed> {
  const output = await npm(['pack', '--json'], project);
  const [packed]: Packed[] = JSON.parse(output.slice(output.indexOf('[')));
  return packed;
}

async function npm(args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await execute('npm', args, { cwd, maxBuffer: 32 * 1024 * 1024 });
  return stdout;
}
