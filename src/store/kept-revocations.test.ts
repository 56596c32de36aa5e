import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { RevocationEntry } from './consumer-store.ts';
import { KeptRevocations } from './kept-revocations.ts';

const root = mkdtempSync(join(tmpdir(), 'kept-revocations-'));
after(() => rmSync(root, { recursive: true }));

const entry = (subject: string, until?: number): RevocationEntry => ({
  kind: 'token',
  issuer: 'https://é.example',
  subject,
  at: 1,
  by: 'admin',
  reason: 'line\n"end"',
  until,
});

test('a file that is not what was saved is a typed error, never a shorter list', () => {
  const path = join(root, 'damaged.json');
  const texts = [
    '',
    'x',
    '[]',
    '{}',
    '{"revocations":{}}',
    '{"revocations":[null]}',
    '{"revocations":[{"kind":"all","issuer":"","subject":"a","at":1,"by":"b","reason":""}]}',
    '{"revocations":[{"kind":"token","issuer":"","subject":1,"at":1,"by":"b","reason":""}]}',
    '{"revocations":[{"kind":"token","issuer":"","subject":"a","at":1,"by":"b","reason":"","until":"x"}]}',
  ];
  for (const text of texts) {
    writeFileSync(path, text);
    assert.throws(() => new KeptRevocations(path).load(), { name: 'StoreError', code: 'corrupt' }, text);
  }
  mkdirSync(join(root, 'folder'));
  const folder = new KeptRevocations(join(root, 'folder'));
  assert.throws(() => folder.load(), { name: 'StoreError', code: 'unavailable' });
  const nowhere = new KeptRevocations(join(root, 'no', 'such'));
  assert.throws(() => nowhere.save([]), { name: 'StoreError', code: 'unavailable' });
});

test('what was saved is there again, for its owner alone', () => {
  const path = join(root, 'kept.json');
  const kept = new KeptRevocations(path);
  assert.deepEqual(kept.load(), []);
  for (const all of [[entry('a'), entry('b', 5)], [], [entry('c', 9)]]) {
    kept.save(all);
    assert.deepEqual(new KeptRevocations(path).load(), all);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }
  assert.ok(!readdirSync(root).some((name) => name.endsWith('.tmp')));
});
