import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CredentialUses } from './credential-uses.ts';

const key = (id: string) => ({ id, kind: 'api-key' });

test('each credential that was used is told once, and again when it was used again', () => {
  const uses = new CredentialUses();
  const one = key('one');
  for (const credential of [one, one, key('two'), one, key('two')]) uses.note(credential);
  assert.deepEqual(uses.take(), ['one', 'two']);
  assert.deepEqual(uses.take(), []);
  uses.note(one);
  assert.deepEqual(uses.take(), ['one']);
});

test('tokens are not noted: whoever has an issuer makes as many as they like', () => {
  const uses = new CredentialUses();
  for (const kind of ['jwt', 'oauth2-introspection', 'oidc-login', '', 'constructor'])
    uses.note({ id: 'x', kind });
  assert.deepEqual(uses.take(), []);
});

test('memory is bounded however many are used', () => {
  const uses = new CredentialUses();
  for (let n = 0; n < 150_000; n++) uses.note(key(`key-${n}`));
  assert.equal(uses.take().length, 100_000);
  uses.note(key('later'));
  assert.deepEqual(uses.take(), ['later']);
});
