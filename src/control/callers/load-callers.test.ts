import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { makeCallers, NOW } from '../../../test/fixtures/callers.ts';
import { openSqliteStore, StoreError } from '../../store/index.ts';
import { type MasterKeys, openMasterKeys } from './master-keys.ts';

const [OLD, NEW] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
const keysOf = (...names: string[]): MasterKeys =>
  openMasterKeys({
    references: names.map((name) => `env:${name}`),
    dataDir: '/nowhere',
    environment: { OLD, NEW },
    randomBytes,
  });

const times = { notBefore: undefined, expiresAt: undefined };
const asked = { consumer: 'app', kind: 'api-key', ...times } as const;
const signing = { consumer: 'app', kind: 'hmac-signature', ...times } as const;

async function storeWith(keys: MasterKeys) {
  const store = openSqliteStore(':memory:');
  const { callers, declare } = await makeCallers({ store: () => store, keys });
  declare([{ name: 'declared' }]);
  await callers.consumers.create({ name: 'app', id: undefined, groups: ['partners'] }, 'admin');
  await callers.consumers.create({ name: 'off', id: undefined, groups: [] }, 'admin');
  const key = await callers.credentials.create(asked, 'admin');
  const gone = await callers.credentials.create(asked, 'admin');
  const off = await callers.credentials.create({ ...asked, consumer: 'off' }, 'admin');
  const declared = await callers.credentials.create({ ...asked, consumer: 'declared' }, 'admin');
  const signed = await callers.credentials.create(signing, 'admin');
  await callers.credentials.revoke(gone.credential.id, '', 'admin');
  await callers.consumers.disable('off', '', 'admin');
  const fingerprint = ({ secret = '' }: typeof key) => hash('sha256', secret, 'base64url');
  return {
    store,
    key: fingerprint(key),
    gone: fingerprint(gone),
    off: fingerprint(off),
    declared: fingerprint(declared),
    signed,
  };
}

test('a start finds everybody as they were, and nobody who was revoked or disabled', async () => {
  const { store, key, gone, off, declared, signed } = await storeWith(keysOf('OLD'));
  const { live, logged } = await makeCallers({ store: () => store, keys: keysOf('OLD') });
  assert.equal(live.find('api-key', gone), undefined);
  assert.equal(live.find('api-key', off), undefined);
  assert.equal(live.consumer('off'), 'disabled');
  assert.deepEqual(live.find('api-key', key)?.identity.groups, ['partners']);
  assert.equal(live.find('api-key', declared)?.isOfDocument, true);
  assert.match(live.find('hmac-signature', signed.credential.id)?.verifier ?? '', /^hmac-sha256:/);
  assert.deepEqual(
    logged.map(([event]) => event),
    ['callers-loaded'],
  );
});

test('a secret whose master key is missing is left out, told without it, and the others serve', async () => {
  const { store, key, signed } = await storeWith(keysOf('OLD'));
  const { live, logged } = await makeCallers({ store: () => store, keys: keysOf('NEW') });
  assert.equal(live.find('hmac-signature', signed.credential.id), undefined);
  assert.ok(live.find('api-key', key));
  const [event, fields] = logged[0];
  assert.equal(event, 'credential-unreadable');
  assert.doesNotMatch(JSON.stringify(fields), new RegExp(`${signed.secret}|${OLD}|${NEW}`));
});

test('secrets go over to a new master key, and need the old one no more', async () => {
  const { store, signed } = await storeWith(keysOf('OLD'));
  await makeCallers({ store: () => store, keys: keysOf('NEW', 'OLD') });
  const { live, logged } = await makeCallers({ store: () => store, keys: keysOf('NEW') });
  assert.ok(live.find('hmac-signature', signed.credential.id));
  assert.deepEqual(
    logged.map(([event]) => event),
    ['callers-loaded'],
  );
});

test('a store that fails while it is read leaves the callers of the document, and says so', async () => {
  const { store, key } = await storeWith(keysOf('OLD'));
  const fail = () => Promise.reject(new StoreError('corrupt', 'damaged'));
  for (const method of ['countActive', 'listConsumers', 'activeCredentials', 'revocations']) {
    const whole = { ...Object.getOwnPropertyDescriptors(store.consumers) };
    Object.assign(store.consumers, { [method]: fail });
    const { callers, logged, live } = await makeCallers({ store: () => store, keys: keysOf('OLD') });
    assert.ok(
      logged.some(([event]) => event === 'callers-not-loaded'),
      method,
    );
    const refused = { name: 'ProblemError', code: 'store-unavailable' };
    await assert.rejects(callers.consumers.disable('app', '', 'admin'), refused, method);
    if (method === 'countActive') assert.equal(live.find('api-key', key), undefined);
    Reflect.deleteProperty(store.consumers, method);
    Object.defineProperties(store.consumers, whole);
  }
});

test('uses are kept, those of strangers are not, and a store that fails is told of once', async () => {
  const { callers, store, used, declare, logged, clock } = await makeCallers();
  declare([{ name: 'declared', credentials: [{ 'api-key': { secret: 'env:A' } }] }]);
  for (const id of ['declared-1', 'cr-0123456789abcdef', 'declared-2', 'cr-x', '']) used.add(id);
  await callers.uses.collect();
  const ids = ['declared-1', 'cr-0123456789abcdef', 'declared-2', 'cr-x', ''];
  assert.deepEqual(Object.fromEntries(await store.consumers.lastUse(ids)), {
    'declared-1': NOW,
    'cr-0123456789abcdef': NOW,
  });
  const fail = () => Promise.reject(new StoreError('unavailable', 'full'));
  Object.assign(store.consumers, { noteUse: fail });
  clock.ms += 60_000;
  used.add('declared-1');
  await callers.uses.collect();
  await callers.uses.collect();
  assert.deepEqual(
    logged.map(([event]) => event),
    ['credential-use-not-kept'],
  );
  Reflect.deleteProperty(store.consumers, 'noteUse');
  await callers.uses.collect();
  assert.deepEqual(Object.fromEntries(await store.consumers.lastUse(['declared-1'])), {
    'declared-1': NOW + 60_000,
  });
});
