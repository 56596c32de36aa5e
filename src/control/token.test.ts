import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError } from '../errors.ts';
import { loadAdminToken } from './token.ts';

const root = mkdtempSync(join(tmpdir(), 'token-'));
after(() => rmSync(root, { recursive: true }));
const newDir = (): string => mkdtempSync(join(root, 'data-'));

test('a token that is not the owner’s alone is refused', () => {
  const good = randomBytes(32).toString('base64url');
  const cases: [string, (path: string) => void][] = [
    ['readable by the group', (path) => writeFileSync(path, good, { mode: 0o640 })],
    ['readable by all', (path) => writeFileSync(path, good, { mode: 0o644 })],
    [
      'a link',
      (path) => {
        writeFileSync(`${path}.elsewhere`, good, { mode: 0o600 });
        symlinkSync(`${path}.elsewhere`, path);
      },
    ],
    ['a folder', (path) => mkdirSync(path, { mode: 0o700 })],
    ['empty', (path) => writeFileSync(path, '', { mode: 0o600 })],
    ['too short', (path) => writeFileSync(path, good.slice(1), { mode: 0o600 })],
    ['two lines', (path) => writeFileSync(path, `${good}\n${good}`, { mode: 0o600 })],
  ];
  for (const [name, make] of cases) {
    const dir = newDir();
    make(join(dir, 'admin-token'));
    chmodSync(dir, 0o700);
    assert.throws(
      () => loadAdminToken(dir, randomBytes),
      (error) => error instanceof ConfigError && !error.message.includes(good.slice(1)),
      name,
    );
  }
  assert.throws(() => loadAdminToken(join(root, 'missing'), randomBytes), ConfigError);
});

test('the first start makes a token of 256 random bits in a file of mode 0600', () => {
  const dir = newDir();
  const token = loadAdminToken(dir, randomBytes);
  assert.equal(token.isNew, true);
  assert.equal(statSync(token.path).mode & 0o777, 0o600);
  assert.match(readFileSync(token.path, 'utf8'), /^[\w-]{43}\n$/);
  assert.deepEqual(readdirSync(dir), ['admin-token']);
  assert.notEqual(
    readFileSync(token.path, 'utf8'),
    readFileSync(loadAdminToken(newDir(), randomBytes).path, 'utf8'),
  );
});

test('later starts keep it, and only it matches', () => {
  const dir = newDir();
  const text = readFileSync(loadAdminToken(dir, randomBytes).path, 'utf8').trim();
  const token = loadAdminToken(dir, randomBytes);
  assert.equal(token.isNew, false);
  assert.equal(token.matches(text), true);
  for (const wrong of ['', text.slice(1), `${text}x`, text.toUpperCase(), `${text}\n`]) {
    assert.equal(token.matches(wrong), false, wrong.length.toString());
  }
});

test('nothing of the token can be printed', () => {
  const token = loadAdminToken(newDir(), randomBytes);
  const text = readFileSync(token.path, 'utf8').trim();
  assert.ok(!JSON.stringify(token).includes(text));
});
