import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeCallers, masterKeys } from '../../../test/fixtures/callers.ts';
import { openSqliteStore, type Store, type StoreChange, StoreError } from '../../store/index.ts';

const keys = masterKeys();

/** Two nodes on one store: what `a` does is told to `b` where a test says so. */
async function twoNodes(store: Store = openSqliteStore(':memory:')) {
  const more = { store: () => store, keys };
  const [a, b] = [await makeCallers(more), await makeCallers(more)];
  const tell = (...changes: readonly (readonly [StoreChange['topic'], string])[]): Promise<void> =>
    b.callers.follow(changes.map(([topic, subject]) => ({ topic, subject })));
  const key = async (consumer: string) => {
    const { credential, secret } = await a.callers.credentials.create(
      { consumer, kind: 'api-key', notBefore: undefined, expiresAt: undefined },
      'admin',
    );
    const [row] = (await store.consumers.activeCredentials(0, 1000)).filter(({ id }) => id === credential.id);
    return { id: credential.id, secret, lookup: row.lookup };
  };
  const consumer = (name: string) => a.callers.consumers.create({ name, id: undefined, groups: [] }, 'admin');
  const known = (lookup: string): string | undefined => b.live.find('api-key', lookup)?.identity.consumer;
  return { a, b, store, tell, key, consumer, known };
}

describe('callers that another node changes', () => {
  test('come, change and go', async () => {
    const { a, b, tell, key, consumer, known } = await twoNodes();
    await consumer('app');
    const { id, lookup } = await key('app');
    assert.equal(known(lookup), undefined);
    await tell(['consumers', 'app'], ['credentials', id]);
    assert.equal(known(lookup), 'app');
    await a.callers.consumers.update('app', { groups: ['g'] }, 'admin');
    await tell(['consumers', 'app']);
    assert.deepEqual(b.live.find('api-key', lookup)?.identity.groups, ['g']);
    await a.callers.credentials.revoke(id, '', 'admin');
    await tell(['credentials', id]);
    assert.equal(known(lookup), undefined);
    await a.callers.consumers.delete('app', 'admin');
    await tell(['consumers', 'app']);
    assert.equal(b.live.consumer('app'), undefined);
  });

  test('go with all their credentials, whatever comes of their name', async () => {
    const { a, tell, key, consumer, known } = await twoNodes();
    await consumer('app');
    const [one, two] = [await key('app'), await key('app')];
    await tell(['consumers', 'app']);
    assert.deepEqual([known(one.lookup), known(two.lookup)], ['app', 'app']);
    await a.callers.consumers.delete('app', 'admin');
    await consumer('app');
    const next = await key('app');
    await tell(['consumers', 'app'], ['credentials', two.id], ['credentials', next.id]);
    assert.deepEqual(
      [known(one.lookup), known(two.lookup), known(next.lookup)],
      [undefined, undefined, 'app'],
    );
  });

  test('keep a look-up that an heir has taken over, in whichever order that is told', async () => {
    const { a, b, tell, consumer } = await twoNodes();
    await consumer('app');
    const asked = { consumer: 'app', kind: 'basic-auth', username: 'ann' } as const;
    const times = { notBefore: undefined, expiresAt: undefined };
    const first = await a.callers.credentials.create({ ...asked, ...times }, 'admin');
    await tell(['credentials', first.credential.id]);
    const rotation = { overlapMs: 0, expiresAt: undefined };
    const heir = await a.callers.credentials.rotate(first.credential.id, rotation, 'admin');
    await tell(['credentials', heir.credential.id], ['credentials', first.credential.id]);
    assert.equal(b.live.find('basic-auth', 'ann')?.identity.credential?.id, heir.credential.id);
  });

  test('are all read again where nobody knows what has changed: what is gone goes', async () => {
    const { a, b, tell, key, consumer, known } = await twoNodes();
    await consumer('stays');
    await consumer('goes');
    const [stays, goes, revoked] = [await key('stays'), await key('goes'), await key('stays')];
    await tell(['consumers', 'stays'], ['consumers', 'goes']);
    assert.deepEqual([known(stays.lookup), known(goes.lookup)], ['stays', 'goes']);
    await a.callers.consumers.delete('goes', 'admin');
    await a.callers.credentials.revoke(revoked.id, '', 'admin');
    await consumer('new');
    const made = await key('new');
    await b.callers.follow('unknown');
    assert.deepEqual(
      [stays, goes, revoked, made].map(({ lookup }) => known(lookup)),
      ['stays', undefined, undefined, 'new'],
    );
    assert.equal(b.live.consumer('goes'), undefined);
  });

  test('are the document’s where it has a consumer of their name by now, whichever way that is learned', async () => {
    const { a, b, tell, key, consumer } = await twoNodes();
    for (const name of ['one', 'two']) {
      await consumer(name);
      await key(name);
      await tell(['consumers', name]);
      await a.callers.consumers.delete(name, 'admin');
    }
    a.declare([
      { name: 'one', credentials: [] },
      { name: 'two', credentials: [] },
    ]);
    const [one, two] = [await key('one'), await key('two')];
    const isOfDocument = (lookup: string) => b.live.find('api-key', lookup)?.isOfDocument;
    await tell(['consumers', 'one'], ['credentials', one.id]);
    assert.equal(isOfDocument(one.lookup), true);
    await b.callers.follow('unknown');
    assert.deepEqual([isOfDocument(one.lookup), isOfDocument(two.lookup)], [true, true]);
  });

  test('are left as they are while the store cannot be read', async () => {
    const store = openSqliteStore(':memory:');
    const { b, tell, key, consumer, known } = await twoNodes(store);
    await consumer('app');
    const { lookup } = await key('app');
    await tell(['consumers', 'app']);
    await store.close();
    await assert.rejects(b.callers.follow('unknown'), StoreError);
    assert.equal(known(lookup), 'app');
  });

  test('are loaded by a node that could not when it started', async () => {
    const store = openSqliteStore(':memory:');
    const a = await makeCallers({ store: () => store, keys });
    await a.callers.consumers.create({ name: 'app', id: undefined, groups: [] }, 'admin');
    let isThere = false;
    const b = await makeCallers({ store: () => (isThere ? store : undefined), keys });
    await assert.rejects(b.callers.follow('unknown'), { name: 'StoreError', code: 'unavailable' });
    isThere = true;
    await b.callers.follow('unknown');
    assert.notEqual(b.live.consumer('app'), undefined);
    await b.callers.consumers.disable('app', '', 'admin');
  });
});

describe('revocations that another node makes', () => {
  const token = { issuer: 'https://issuer.example', id: 't', until: 2 ** 42, reason: '' };

  test('take effect, and end', async () => {
    const { a, b, tell, store } = await twoNodes();
    await a.callers.revocations.revokeToken(token, 'admin');
    await tell(['revocations', '']);
    assert.equal(b.worker.revocations.hasToken(token.issuer, 't'), true);
    await store.consumers.removeRevocation({ kind: 'token', issuer: token.issuer, subject: 't' });
    await tell(['revocations', '']);
    assert.equal(b.worker.revocations.hasToken(token.issuer, 't'), false);
    assert.deepEqual(b.callers.revocations.list(), []);
  });

  test('do not undo one that the store could not take yet, which goes there when it is back', async () => {
    const { a, tell, store, b } = await twoNodes();
    const { consumers } = store;
    const put = consumers.putRevocation.bind(consumers);
    consumers.putRevocation = () => Promise.reject(new StoreError('unavailable', 'full'));
    await assert.rejects(b.callers.revocations.revokeToken(token, 'admin'), StoreError);
    await assert.rejects(b.callers.follow('unknown'), StoreError);
    assert.equal(b.worker.revocations.hasToken(token.issuer, 't'), true);
    consumers.putRevocation = put;
    await b.callers.catchUp();
    await tell(['revocations', '']);
    assert.equal(b.worker.revocations.hasToken(token.issuer, 't'), true);
    await a.callers.follow([{ topic: 'revocations', subject: '' }]);
    assert.equal(a.worker.revocations.hasToken(token.issuer, 't'), true);
  });
});
