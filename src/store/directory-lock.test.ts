import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError } from '../errors.ts';
import { lockDirectory } from './directory-lock.ts';
import { StoreError } from './store.ts';

const root = mkdtempSync(join(tmpdir(), 'lock-'));
after(() => rmSync(root, { recursive: true }));
const newDirectory = (): string => mkdtempSync(join(root, 'data-'));

const HOLDER = `
  import { lockDirectory } from ${JSON.stringify(new URL('./directory-lock.ts', import.meta.url).href)};
  const lock = lockDirectory(process.argv[1]);
  process.send('holds');
  process.on('message', () => lock.release());
`;

/** A process that holds the directory. */
async function startHolder(directory: string) {
  const args = ['--input-type=module', '-e', HOLDER, directory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

const isHeldBy = (pid: number | undefined) => (error: unknown) =>
  error instanceof ConfigError && error.message.includes(`process ${pid})`);

test('a directory that another process holds is refused with its number, until that is killed', async () => {
  const directory = newDirectory();
  const holder = await startHolder(directory);
  for (let i = 0; i < 2; i++) assert.throws(() => lockDirectory(directory), isHeldBy(holder.pid));
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  lockDirectory(directory).release();
});

test('what a process that is gone left behind holds nobody up, though its number is in use again', () => {
  const directory = newDirectory();
  lockDirectory(directory).release();
  writeFileSync(join(directory, 'lock.pid'), `${process.ppid}\n`);
  lockDirectory(directory).release();
});

test('a second try in the holding process neither succeeds nor loses the lock', async () => {
  const directory = newDirectory();
  const lock = lockDirectory(directory);
  assert.throws(() => lockDirectory(directory), isHeldBy(process.pid));
  const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, directory], {
    stdio: 'ignore',
  });
  const [code] = await once(holder, 'exit');
  assert.equal(code, 1);
  lock.release();
  const next = await startHolder(directory);
  assert.throws(() => lockDirectory(directory), isHeldBy(next.pid));
});

test('the files are their owner’s', () => {
  const directory = newDirectory();
  lockDirectory(directory).release();
  for (const name of ['lock.db', 'lock.pid'])
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
});

test('a directory that cannot be locked is told apart from one that is held', () => {
  const directory = newDirectory();
  writeFileSync(join(directory, 'lock.db'), 'this is no database, and never was one'.repeat(100));
  assert.throws(
    () => lockDirectory(directory),
    (error) => error instanceof StoreError && error.code === 'unavailable',
  );
});
