import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CallersUnderTest, makeCallers, NOW } from '../../../test/fixtures/callers.ts';
import { StoreError } from '../../store/index.ts';

const new_ = (name: string, groups: readonly string[] = []) => ({ name, id: undefined, groups });
const code = (expected: string) => ({ name: 'ProblemError', code: expected });
const key = { kind: 'api-key', notBefore: undefined, expiresAt: undefined } as const;

const actions = async ({ store }: CallersUnderTest) =>
  (await store.listAudit({ limit: 100 }))
    .map(({ action, subject, actor }) => [action, subject, actor])
    .reverse();

const digest = async (secret: string) =>
  Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(secret))).toString('base64url');

describe('consumers that are kept live', () => {
  it('are refused where there is one of the name, in the document or live', async () => {
    const world = await makeCallers();
    const { callers, declare } = world;
    declare([{ name: 'declared' }]);
    await assert.rejects(callers.consumers.create(new_('declared'), 'admin'), code('conflict'));
    await callers.consumers.create(new_('app', ['partners']), 'admin');
    await assert.rejects(callers.consumers.create(new_('app', ['admins']), 'admin'), code('conflict'));
    assert.deepEqual((await callers.consumers.get('app')).groups, ['partners']);
    assert.deepEqual(await actions(world), [['consumer.create', 'app', 'admin']]);
  });

  it('cannot be changed, switched or deleted when they are not there', async () => {
    const { callers } = await makeCallers();
    const { consumers } = callers;
    for (const attempt of [
      consumers.get('nobody'),
      consumers.update('nobody', { groups: [] }, 'admin'),
      consumers.disable('nobody', '', 'admin'),
      consumers.enable('nobody', 'admin'),
      consumers.delete('nobody', 'admin'),
    ]) {
      await assert.rejects(attempt, code('not-found'));
    }
  });

  it('are found by the workers at once, and as they are after each change', async () => {
    const { callers, live } = await makeCallers();
    await callers.consumers.create({ name: 'app', id: 'x-1', groups: ['partners'] }, 'admin');
    assert.deepEqual(live.consumer('app'), { name: 'app', id: 'x-1', groups: ['partners'] });
    await callers.consumers.update('app', { id: null, groups: ['admins'] }, 'admin');
    assert.deepEqual(live.consumer('app'), { name: 'app', groups: ['admins'] });
    await callers.consumers.update('app', {}, 'admin');
    assert.deepEqual(live.consumer('app'), { name: 'app', groups: ['admins'] });
    await callers.consumers.delete('app', 'admin');
    assert.equal(live.consumer('app'), undefined);
  });

  it('are refused with all their credentials while they are disabled', async () => {
    const { callers, live } = await makeCallers();
    await callers.consumers.create(new_('app'), 'admin');
    const keys: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { secret = '' } = await callers.credentials.create({ ...key, consumer: 'app' }, 'admin');
      keys.push(await digest(secret));
    }
    const found = () => keys.filter((one) => live.find('api-key', one) !== undefined).length;
    assert.equal(found(), 3);
    const disabled = await callers.consumers.disable('app', 'left', 'admin');
    assert.equal(disabled.isDisabled, true);
    assert.equal(found(), 0);
    assert.equal(live.consumer('app'), 'disabled');
    await callers.consumers.update('app', { groups: ['new'] }, 'admin');
    assert.equal(found(), 0, 'a change must not enable');
    assert.equal((await callers.consumers.enable('app', 'admin')).isDisabled, false);
    assert.equal(found(), 3);
  });

  it('are deleted with their credentials, which never become another’s', async () => {
    const world = await makeCallers();
    const { callers, live } = world;
    await callers.consumers.create(new_('app'), 'admin');
    const { secret = '', credential } = await callers.credentials.create(
      { ...key, consumer: 'app' },
      'admin',
    );
    await callers.consumers.delete('app', 'admin');
    assert.equal(live.find('api-key', await digest(secret)), undefined);
    await assert.rejects(callers.credentials.get(credential.id), code('not-found'));
    await callers.consumers.create(new_('app', ['admins']), 'admin');
    assert.equal(live.find('api-key', await digest(secret)), undefined);
    assert.deepEqual(
      (await actions(world)).map(([action]) => action),
      ['consumer.create', 'credential.create', 'consumer.delete', 'consumer.create'],
    );
  });

  it('are listed by name with those of the document, page by page', async () => {
    const { callers, declare } = await makeCallers();
    declare([{ name: 'b', id: 'x', groups: ['g'] }, { name: 'd' }]);
    for (const name of ['c', 'a', 'e']) await callers.consumers.create(new_(name), 'admin');
    const first = await callers.consumers.list({ limit: 3, after: '' });
    assert.deepEqual(
      first.map(({ name, origin }) => [name, origin]),
      [
        ['a', 'live'],
        ['b', 'document'],
        ['c', 'live'],
      ],
    );
    assert.deepEqual(first[1], {
      name: 'b',
      id: 'x',
      groups: ['g'],
      origin: 'document',
      isDisabled: false,
      createdAt: undefined,
      createdBy: undefined,
    });
    assert.deepEqual([first[0].createdAt, first[0].createdBy], [NOW, 'admin']);
    const rest = await callers.consumers.list({ limit: 3, after: 'c' });
    assert.deepEqual(
      rest.map(({ name }) => name),
      ['d', 'e'],
    );
  });

  it('take from a document that declares them since what it says', async () => {
    const { callers, declare } = await makeCallers();
    await callers.consumers.create(new_('app', ['live']), 'admin');
    declare([{ name: 'app', groups: ['declared'] }]);
    const { origin, groups } = await callers.consumers.get('app');
    assert.deepEqual([origin, groups], ['document', ['declared']]);
    await assert.rejects(callers.consumers.update('app', { groups: ['admins'] }, 'admin'), code('conflict'));
    await assert.rejects(callers.consumers.delete('app', 'admin'), code('conflict'));
    declare([]);
    assert.equal((await callers.consumers.get('app')).origin, 'live');
    await callers.consumers.delete('app', 'admin');
  });
});

describe('consumers of the document', () => {
  it('are not changed or deleted here', async () => {
    const { callers, declare } = await makeCallers();
    declare([{ name: 'declared' }]);
    await assert.rejects(
      callers.consumers.update('declared', { groups: ['admins'] }, 'admin'),
      code('conflict'),
    );
    await assert.rejects(callers.consumers.delete('declared', 'admin'), code('conflict'));
  });

  it('are disabled and enabled in every worker', async () => {
    const world = await makeCallers();
    const { callers, declare, worker } = world;
    declare([{ name: 'declared' }]);
    assert.equal((await callers.consumers.disable('declared', 'fraud', 'admin')).isDisabled, true);
    assert.equal(worker.revocations.hasConsumer('declared'), true);
    await callers.consumers.disable('declared', 'again', 'admin');
    assert.deepEqual(
      callers.revocations.list().map(({ kind, subject, reason }) => [kind, subject, reason]),
      [['consumer', 'declared', 'fraud']],
    );
    assert.equal((await callers.consumers.enable('declared', 'admin')).isDisabled, false);
    assert.equal(worker.revocations.hasConsumer('declared'), false);
    assert.deepEqual(await actions(world), [
      ['consumer.disable', 'declared', 'admin'],
      ['consumer.enable', 'declared', 'admin'],
    ]);
  });

  it('stay disabled when the document forgets them, and can still be enabled', async () => {
    const { callers, declare, worker } = await makeCallers();
    declare([{ name: 'declared' }]);
    await callers.consumers.disable('declared', '', 'admin');
    declare([]);
    assert.equal(worker.revocations.hasConsumer('declared'), true);
    assert.equal((await callers.consumers.create(new_('declared'), 'admin')).isDisabled, true);
    assert.equal((await callers.consumers.enable('declared', 'admin')).isDisabled, false);
    assert.equal(worker.revocations.hasConsumer('declared'), false);
  });

  it('leave credentials behind that no later consumer of the name takes over', async () => {
    const { callers, declare } = await makeCallers();
    declare([{ name: 'app' }]);
    await callers.credentials.create({ ...key, consumer: 'app' }, 'admin');
    declare([]);
    await assert.rejects(callers.consumers.create(new_('app', ['admins']), 'admin'), code('conflict'));
    await callers.consumers.delete('app', 'admin');
    await callers.consumers.create(new_('app'), 'admin');
  });
});

describe('without a usable store', () => {
  it('nothing is changed, and all is told as such', async () => {
    for (const more of [{ store: () => undefined }, { isLoaded: false }]) {
      const { callers, spread } = await makeCallers(more);
      const unavailable = code('store-unavailable');
      await assert.rejects(callers.consumers.list({ limit: 1, after: '' }), unavailable);
      await assert.rejects(callers.consumers.create(new_('app'), 'admin'), unavailable);
      await assert.rejects(callers.consumers.disable('app', '', 'admin'), unavailable);
      await assert.rejects(callers.credentials.create({ ...key, consumer: 'app' }, 'admin'), unavailable);
      await assert.rejects(callers.credentials.revoke('app-1', '', 'admin'), unavailable);
      assert.throws(() => callers.revocations.list(), unavailable);
      assert.deepEqual(spread, []);
    }
  });

  it('that fails while something is taken back, it is taken back all the same, and the failure told', async () => {
    const { callers, store, declare, worker, live } = await makeCallers();
    declare([{ name: 'declared', credentials: [{ 'api-key': { secret: 'env:A', id: 'declared-key' } }] }]);
    await callers.consumers.create(new_('app'), 'admin');
    const { secret = '', credential } = await callers.credentials.create(
      { ...key, consumer: 'app' },
      'admin',
    );
    const fail = () => Promise.reject(new StoreError('unavailable', 'the disk is full'));
    Object.assign(store.consumers, { revokeCredential: fail, putRevocation: fail, updateConsumer: fail });
    const failed = { name: 'StoreError', code: 'unavailable' };
    await assert.rejects(callers.credentials.revoke(credential.id, '', 'admin'), failed);
    assert.equal(live.find('api-key', await digest(secret)), undefined);
    await assert.rejects(callers.consumers.disable('app', '', 'admin'), failed);
    assert.equal(live.consumer('app'), 'disabled');
    await assert.rejects(callers.credentials.revoke('declared-key', '', 'admin'), failed);
    assert.equal(worker.revocations.hasCredential('declared-key'), true);
    await assert.rejects(callers.consumers.disable('declared', '', 'admin'), failed);
    assert.equal(worker.revocations.hasConsumer('declared'), true);
  });

  it('that fails while something is given, nothing is given', async () => {
    const { callers, store, live } = await makeCallers();
    const fail = () => Promise.reject(new StoreError('unavailable', 'the disk is full'));
    const failed = { name: 'StoreError', code: 'unavailable' };
    await callers.consumers.create(new_('app'), 'admin');
    await callers.consumers.disable('app', '', 'admin');
    Object.assign(store, { appendAudit: fail });
    await assert.rejects(callers.consumers.create(new_('other'), 'admin'), failed);
    await assert.rejects(callers.consumers.enable('app', 'admin'), failed);
    await assert.rejects(callers.credentials.create({ ...key, consumer: 'app' }, 'admin'), failed);
    assert.equal(live.consumer('other'), undefined);
    assert.equal(live.consumer('app'), 'disabled');
    assert.deepEqual(await store.consumers.activeCredentials(0, 9), []);
    assert.equal(await store.consumers.getConsumer('other'), undefined);
  });
});
