import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NodeIdentity } from './node-identity.ts';

const folder = mkdtempSync(join(tmpdir(), 'node-identity-'));
after(() => rmSync(folder, { recursive: true }));

let made = 0;
const newId = (): string => (++made).toString(16).padStart(16, '0');

for (const [what, content] of [
  ['nothing', ''],
  ['a part', '00112233'],
  ['another form', '../../etc/passwd\n'],
  ['more than one', `${'ab'.repeat(8)}\n${'cd'.repeat(8)}\n`],
  ['capitals', `${'AB'.repeat(8)}\n`],
] as const) {
  test(`an id is made anew where there is ${what}`, () => {
    const path = join(folder, what);
    writeFileSync(path, content);
    const { id } = new NodeIdentity(path, newId);
    assert.match(id, /^[0-9a-f]{16}$/);
    assert.equal(readFileSync(path, 'utf8'), `${id}\n`);
  });
}

test('an id is made once, is only its owner’s, and stays', () => {
  const path = join(folder, 'kept');
  const first = new NodeIdentity(path, newId);
  const { id } = first;
  assert.equal(first.id, id);
  assert.equal(new NodeIdentity(path, newId).id, id);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const next = first.renew();
  assert.notEqual(next, id);
  assert.deepEqual([first.id, new NodeIdentity(path, newId).id], [next, next]);
});

test('where it cannot be kept it lasts as long as the process', () => {
  const identity = new NodeIdentity(join(folder, 'none', 'at', 'all'), newId);
  const { id } = identity;
  assert.equal(identity.id, id);
  assert.equal(identity.renew(), identity.id);
});
