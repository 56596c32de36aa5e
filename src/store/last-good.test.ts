import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LastGood } from './last-good.ts';

const root = mkdtempSync(join(tmpdir(), 'last-good-'));
after(() => rmSync(root, { recursive: true }));

const bundle = (n: number) => ({
  revision: String(n).repeat(64),
  document: `sallyport: ${n} # é\n`,
  files: { './a.yaml': 'a' },
  savedAt: n,
});

test('nothing saved is nothing to load', () => {
  assert.equal(new LastGood(join(root, 'none.json')).load(), undefined);
});

test('the latest save is loaded, by another process as well', () => {
  const path = join(root, 'last-good.json');
  const lastGood = new LastGood(path);
  lastGood.save(bundle(1));
  lastGood.save(bundle(2));
  assert.deepEqual(new LastGood(path).load(), bundle(2));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(root), ['last-good.json']);
});

test('a save that fails leaves the one before, and nothing lying about', () => {
  const path = join(root, 'kept.json');
  const lastGood = new LastGood(path);
  lastGood.save(bundle(1));
  const unwritable = {
    ...bundle(2),
    get document(): string {
      throw new Error('gone');
    },
  };
  assert.throws(() => lastGood.save(unwritable), { name: 'StoreError', code: 'unavailable' });
  assert.deepEqual(lastGood.load(), bundle(1));
  assert.throws(() => new LastGood(join(root, 'no', 'where.json')).save(bundle(1)), { code: 'unavailable' });
  mkdirSync(join(root, 'folder', 'inner'), { recursive: true });
  assert.throws(() => new LastGood(join(root, 'folder')).save(bundle(1)), { code: 'unavailable' });
  assert.ok(readdirSync(root).every((name) => !name.endsWith('.tmp')));
});

test('what is not what was saved is refused', () => {
  const path = join(root, 'damaged.json');
  const lastGood = new LastGood(path);
  lastGood.save(bundle(1));
  const text = readFileSync(path, 'utf8');
  const cases: [string, string, string][] = [
    ['empty', '', 'corrupt'],
    ['torn', text.slice(0, -20), 'corrupt'],
    ['edited', text.replace('sallyport: 1', 'sallyport: 2'), 'corrupt'],
    ['another shape', '{"format":1}', 'corrupt'],
    ['not an object', '[]', 'corrupt'],
    ['newer', '{"format":2}', 'schema-too-new'],
  ];
  for (const [name, content, code] of cases) {
    writeFileSync(path, content);
    assert.throws(() => lastGood.load(), { name: 'StoreError', code }, name);
  }
});

test('a directory in its place is an error, not nothing', () => {
  assert.throws(() => new LastGood(root).load(), { name: 'StoreError', code: 'unavailable' });
});
