import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ConfigError } from '../../errors.ts';
import { openMasterKeys, SealError } from './master-keys.ts';

const root = mkdtempSync(join(tmpdir(), 'master-keys-'));
after(() => rmSync(root, { recursive: true }));
const newDir = (): string => mkdtempSync(join(root, 'data-'));

const KEY = randomBytes(32);
const OTHER = randomBytes(32);
const environment = {
  KEY: KEY.toString('base64'),
  OTHER: OTHER.toString('hex'),
  EMPTY: '',
  SHORT: randomBytes(31).toString('base64'),
  LONG: randomBytes(33).toString('base64'),
  PASSPHRASE: 'correct horse battery staple correct horse!!',
};

const open = (references: readonly string[], dataDir = newDir()) =>
  openMasterKeys({ references, dataDir, environment, randomBytes });

describe('a sealed secret', () => {
  const keys = open(['env:KEY']);
  const sealed = keys.seal('the secret', 'cr-1');

  it('is not read with another key, for another id, or when a character of it was changed', () => {
    assert.throws(() => open(['env:OTHER']).open(sealed, 'cr-1'), SealError);
    assert.throws(() => keys.open(sealed, 'cr-2'), SealError);
    assert.throws(() => keys.open(sealed, ''), SealError);
    for (let i = 0; i < sealed.length; i++) {
      const changed = sealed.slice(0, i) + (sealed[i] === 'A' ? 'B' : 'A') + sealed.slice(i + 1);
      // The last characters of a base64url text may hold bits that mean nothing.
      const isSame = changed.split('.').every((part, at) => {
        const before = sealed.split('.')[at];
        return at < 2
          ? part === before
          : Buffer.from(part, 'base64url').equals(Buffer.from(before, 'base64url'));
      });
      if (!isSame) assert.throws(() => keys.open(changed, 'cr-1'), SealError, `character ${i}`);
    }
    for (const text of ['', 'v1', 'v1...', sealed.slice(0, -30), `v2${sealed.slice(2)}`, `${sealed}AAAA`]) {
      assert.throws(() => keys.open(text, 'cr-1'), SealError, text);
    }
  });

  it('shows nothing, and never twice the same', () => {
    assert.doesNotMatch(sealed, /secret/);
    assert.notEqual(keys.seal('the secret', 'cr-1'), sealed);
    const [, , ...parts] = sealed.split('.');
    assert.ok(!parts.some((part) => Buffer.from(part, 'base64url').includes('secret')));
  });

  it('is read with its key, from wherever that came', () => {
    const file = join(newDir(), 'key');
    writeFileSync(file, `${KEY.toString('base64url')}\n`);
    for (const reference of ['env:KEY', `file:${file}`]) {
      assert.equal(open([reference]).open(sealed, 'cr-1'), 'the secret', reference);
    }
  });

  it('is read with a key that came after, as long as its own is given too', () => {
    const rotated = open(['env:OTHER', 'env:KEY']);
    assert.equal(rotated.isCurrent(sealed), false);
    assert.equal(rotated.open(sealed, 'cr-1'), 'the secret');
    const again = rotated.seal('the secret', 'cr-1');
    assert.equal(rotated.isCurrent(again), true);
    assert.equal(open(['env:OTHER']).open(again, 'cr-1'), 'the secret');
    assert.throws(() => keys.open(again, 'cr-1'), SealError);
  });
});

describe('a master key', () => {
  it('that is none is refused, and never printed', () => {
    const cases = [
      KEY.toString('base64'),
      'env:EMPTY',
      'env:NONE',
      'env:SHORT',
      'env:LONG',
      'env:PASSPHRASE',
      'file:/no/such/key',
    ];
    for (const reference of cases) {
      assert.throws(
        () => open([reference]),
        (error) => error instanceof ConfigError && !/horse|[A-Za-z0-9+/]{40}/.test(error.message),
        reference,
      );
    }
  });

  it('in the data folder is made when first needed, for its owner alone, and used again', () => {
    const dir = newDir();
    const path = join(dir, 'master-key');
    const keys = open([], dir);
    assert.equal(existsSync(path), false);
    const sealed = keys.seal('the secret', 'cr-1');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(Buffer.from(readFileSync(path, 'utf8').trim(), 'base64url').length, 32);
    assert.equal(open([], dir).open(sealed, 'cr-1'), 'the secret');
    assert.throws(() => open([]).open(sealed, 'cr-1'), SealError);
  });

  it('in the data folder is refused when it is not its owner’s alone', () => {
    const cases: [string, (path: string) => void][] = [
      ['readable by others', (path) => writeFileSync(path, KEY.toString('base64'), { mode: 0o644 })],
      ['no key', (path) => writeFileSync(path, 'x', { mode: 0o600 })],
      [
        'a link',
        (path) => {
          writeFileSync(`${path}.elsewhere`, KEY.toString('base64'), { mode: 0o600 });
          symlinkSync(`${path}.elsewhere`, path);
        },
      ],
    ];
    for (const [name, make] of cases) {
      const dir = newDir();
      make(join(dir, 'master-key'));
      chmodSync(dir, 0o700);
      assert.throws(() => open([], dir).seal('the secret', 'cr-1'), SealError, name);
    }
  });
});
