import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { DiskMark } from './disk-mark.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-mark-'));
after(() => rmSync(folder, { recursive: true }));
const DECISION = { document: 'd'.repeat(64), revision: 'a'.repeat(64) };

describe('what was decided of the document on disk', () => {
  const file = path.join(folder, 'mark.json');
  const wrong = [
    '',
    '{',
    'null',
    '[]',
    '{"format":2,"document":"d","revision":"r"}',
    '{"format":1,"document":"d"}',
    '{"format":1,"document":1,"revision":"r"}',
  ];
  it('is unknown where nothing was saved, or it is damaged', () => {
    assert.equal(new DiskMark(file).load(), undefined);
    for (const text of wrong) {
      writeFileSync(file, text);
      assert.equal(new DiskMark(file).load(), undefined, text);
    }
  });

  it('is what was saved last', () => {
    new DiskMark(file).save({ ...DECISION, document: 'other' });
    new DiskMark(file).save(DECISION);
    assert.deepEqual(new DiskMark(file).load(), DECISION);
    assert.match(readFileSync(file, 'utf8'), /"format":1/);
  });

  it('says so when it cannot be saved', () => {
    const taken = path.join(folder, 'folder');
    mkdirSync(path.join(taken, 'x'), { recursive: true });
    assert.throws(() => new DiskMark(taken).save(DECISION), { name: 'StoreError', code: 'unavailable' });
  });
});
