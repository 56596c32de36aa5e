import assert from 'node:assert/strict';
import type {
  ConsumerEntry,
  ConsumerStore,
  CredentialEntry,
  RevocationEntry,
  Store,
} from '../../src/store/index.ts';

const AT = 1_700_000_000_000;

const consumer = (name: string, more: Partial<ConsumerEntry> = {}): ConsumerEntry => ({
  name,
  externalId: undefined,
  groups: ['partners', 'é "quoted"'],
  createdAt: AT,
  createdBy: 'admin',
  disabledAt: undefined,
  ...more,
});

const credential = (n: number, more: Partial<CredentialEntry> = {}): CredentialEntry => ({
  id: `cr-${n}`,
  consumer: 'app',
  kind: 'api-key',
  lookup: `lookup-${n}`,
  shown: `spk_${n}`,
  verifier: undefined,
  sealed: undefined,
  createdAt: AT + n,
  createdBy: 'admin',
  notBefore: undefined,
  expiresAt: undefined,
  revokedAt: undefined,
  successor: undefined,
  ...more,
});

const revocation = (kind: RevocationEntry['kind'], subject: string, more: Partial<RevocationEntry> = {}) => ({
  kind,
  issuer: kind === 'token' ? 'https://issuer.example' : '',
  subject,
  at: AT,
  by: 'admin',
  reason: 'lost',
  until: undefined,
  ...more,
});

type WithStore = (title: string, run: (store: Store) => Promise<void>) => void;

const idsOf = (found: readonly { readonly id: string }[]): string[] => found.map(({ id }) => id);
const namesOf = (found: readonly { readonly name: string }[]): string[] => found.map(({ name }) => name);
const notFound = { name: 'StoreError', code: 'not-found' };
const conflict = { name: 'StoreError', code: 'conflict' };

/** What every store must do with consumers and credentials. */
export function consumerStoreContract(withStore: WithStore): void {
  const test = (title: string, run: (consumers: ConsumerStore) => Promise<void>): void =>
    withStore(title, ({ consumers }) => run(consumers));

  test('has no consumers at first, and changes none that are not there', async (store) => {
    assert.equal(await store.getConsumer('app'), undefined);
    assert.equal(await store.getCredential('cr-1'), undefined);
    assert.deepEqual(await store.listConsumers({ limit: 10, after: '' }), []);
    assert.deepEqual(await store.activeCredentials(0, 10), []);
    assert.deepEqual(await store.countActive(), { consumers: 0, credentials: 0 });
    assert.deepEqual(await store.revocations(AT), []);
    await assert.rejects(store.updateConsumer('app', { groups: [] }), notFound);
    await assert.rejects(store.removeConsumer('app'), notFound);
    await assert.rejects(store.revokeCredential('cr-1', AT), notFound);
    await assert.rejects(store.resealCredential('cr-1', 'sealed'), notFound);
    await assert.rejects(store.succeedCredential('cr-1', credential(2), AT), notFound);
    assert.equal(await store.getCredential('cr-2'), undefined);
    assert.equal(await store.removeRevocation(revocation('token', 'a')), false);
  });

  test('gives a consumer back as it was put, and takes no second of its name', async (store) => {
    const entry = consumer('app', { externalId: 'x-1', disabledAt: AT });
    await store.putConsumer(entry);
    assert.deepEqual(await store.getConsumer('app'), entry);
    await assert.rejects(store.putConsumer(consumer('app', { groups: [] })), conflict);
    assert.deepEqual(await store.getConsumer('app'), entry);
  });

  test('changes of a consumer what is named and nothing else', async (store) => {
    await store.putConsumer(consumer('app', { externalId: 'x-1' }));
    await store.updateConsumer('app', { disabledAt: AT + 1 });
    assert.deepEqual(
      await store.getConsumer('app'),
      consumer('app', { externalId: 'x-1', disabledAt: AT + 1 }),
    );
    await store.updateConsumer('app', { disabledAt: undefined, groups: [], externalId: undefined });
    assert.deepEqual(await store.getConsumer('app'), consumer('app', { groups: [] }));
  });

  test('lists consumers by name, page by page', async (store) => {
    for (const name of ['c', 'a', 'B', 'd']) await store.putConsumer(consumer(name));
    assert.deepEqual(namesOf(await store.listConsumers({ limit: 2, after: '' })), ['B', 'a']);
    assert.deepEqual(namesOf(await store.listConsumers({ limit: 9, after: 'a' })), ['c', 'd']);
    assert.equal((await store.listConsumers({ limit: 0, after: '' })).length, 1);
  });

  test('gives a credential back as it was put, also of a consumer it does not hold', async (store) => {
    const full = credential(1, {
      consumer: 'of-the-document',
      kind: 'hmac-signature',
      verifier: 'public',
      sealed: 'sealed',
      notBefore: AT - 1,
      expiresAt: AT + 1,
    });
    await store.putCredential(full);
    await store.putCredential(credential(2));
    assert.deepEqual(await store.getCredential('cr-1'), { ...full, number: 1, lastUsedAt: undefined });
    assert.deepEqual(await store.getCredential('cr-2'), {
      ...credential(2),
      number: 2,
      lastUsedAt: undefined,
    });
  });

  test('takes a look-up once per kind among those not revoked, and an id once', async (store) => {
    await store.putCredential(credential(1));
    await assert.rejects(store.putCredential(credential(2, { lookup: 'lookup-1' })), conflict);
    await assert.rejects(store.putCredential(credential(3, { id: 'cr-1' })), conflict);
    await store.putCredential(credential(4, { lookup: 'lookup-1', kind: 'basic-auth' }));
    assert.equal(await store.hasActive('api-key', 'lookup-1'), true);
    assert.equal(await store.hasActive('mtls', 'lookup-1'), false);
    await store.revokeCredential('cr-1', AT);
    assert.equal(await store.hasActive('api-key', 'lookup-1'), false);
    await store.putCredential(credential(5, { lookup: 'lookup-1' }));
    assert.deepEqual(idsOf(await store.activeCredentials(0, 10)), ['cr-4', 'cr-5']);
  });

  test('forgets of a revoked credential what it was verified with, and keeps the first time', async (store) => {
    await store.putCredential(credential(1, { verifier: 'v', sealed: 's' }));
    await store.revokeCredential('cr-1', AT + 5);
    await store.revokeCredential('cr-1', AT + 9);
    const { verifier, sealed, revokedAt } = (await store.getCredential('cr-1')) ?? {};
    assert.deepEqual([verifier, sealed, revokedAt], [undefined, undefined, AT + 5]);
    await assert.rejects(store.resealCredential('cr-1', 'new'), notFound);
    assert.deepEqual(await store.countActive(), { consumers: 0, credentials: 0 });
  });

  test('lets one credential succeed another, whole or not at all', async (store) => {
    await store.putCredential(credential(1));
    const same = credential(2, { lookup: 'lookup-1' });
    await assert.rejects(store.succeedCredential('cr-1', same, AT + 5), conflict);
    assert.equal((await store.getCredential('cr-1'))?.expiresAt, undefined);
    await store.succeedCredential('cr-1', credential(2), AT + 5);
    const { expiresAt, successor } = (await store.getCredential('cr-1')) ?? {};
    assert.deepEqual([expiresAt, successor], [AT + 5, 'cr-2']);
    await store.revokeCredential('cr-1', AT);
    await assert.rejects(store.succeedCredential('cr-1', credential(3), AT + 5), notFound);
    assert.equal(await store.getCredential('cr-3'), undefined);
  });

  test('lets one take the place of another at once, with the same look-up', async (store) => {
    await store.putCredential(credential(1, { verifier: 'old' }));
    await store.succeedCredential('cr-1', credential(2, { lookup: 'lookup-1' }), 'revoked');
    const { revokedAt, successor, verifier } = (await store.getCredential('cr-1')) ?? {};
    assert.deepEqual([revokedAt, successor, verifier], [AT + 2, 'cr-2', undefined]);
    assert.deepEqual(idsOf(await store.activeCredentials(0, 9)), ['cr-2']);
  });

  test('replaces an encrypted secret', async (store) => {
    await store.putCredential(credential(1, { sealed: 'old' }));
    await store.putCredential(credential(2));
    await store.resealCredential('cr-1', 'new');
    assert.equal((await store.getCredential('cr-1'))?.sealed, 'new');
    await assert.rejects(store.resealCredential('cr-2', 'new'), notFound);
  });

  test('lists credentials newest first, of all or of one consumer', async (store) => {
    for (let n = 1; n <= 5; n++)
      await store.putCredential(credential(n, n === 3 ? { consumer: 'other' } : {}));
    const first = await store.listCredentials({ limit: 2, before: undefined, consumer: undefined });
    assert.deepEqual(idsOf(first), ['cr-5', 'cr-4']);
    const rest = await store.listCredentials({ limit: 9, before: first[1].number, consumer: 'app' });
    assert.deepEqual(idsOf(rest), ['cr-2', 'cr-1']);
  });

  test('reads the active ones oldest first, some at a time, with what they are verified by', async (store) => {
    await store.putConsumer(consumer('app'));
    for (let n = 1; n <= 5; n++) await store.putCredential(credential(n, { sealed: `sealed-${n}` }));
    await store.revokeCredential('cr-2', AT);
    const first = await store.activeCredentials(0, 2);
    assert.deepEqual(idsOf(first), ['cr-1', 'cr-3']);
    assert.deepEqual([first[1].lookup, first[1].sealed, first[1].consumer], ['lookup-3', 'sealed-3', 'app']);
    assert.deepEqual(idsOf(await store.activeCredentials(first[1].number, 9)), ['cr-4', 'cr-5']);
    assert.deepEqual(await store.countActive(), { consumers: 1, credentials: 4 });
  });

  test('removes a consumer with its credentials and their use, and nobody else’s', async (store) => {
    await store.putConsumer(consumer('app'));
    await store.putCredential(credential(1));
    await store.putCredential(credential(2, { consumer: 'other' }));
    await store.noteUse([
      { id: 'cr-1', at: AT },
      { id: 'cr-2', at: AT },
    ]);
    await store.removeConsumer('app');
    assert.equal(await store.getConsumer('app'), undefined);
    assert.equal(await store.getCredential('cr-1'), undefined);
    assert.deepEqual([...(await store.lastUse(['cr-1', 'cr-2']))], [['cr-2', AT]]);
    assert.equal((await store.getCredential('cr-2'))?.lastUsedAt, AT);
  });

  test('removes credentials that have no consumer here by its name too', async (store) => {
    await store.putCredential(credential(1));
    await store.removeConsumer('app');
    assert.equal(await store.getCredential('cr-1'), undefined);
    await assert.rejects(store.removeConsumer('app'), notFound);
  });

  test('keeps the latest use of each credential, whoever’s it is', async (store) => {
    await store.noteUse([{ id: 'app-1', at: AT + 2 }]);
    await store.noteUse([
      { id: 'app-1', at: AT + 1 },
      { id: "o'neil", at: AT },
    ]);
    const use = await store.lastUse(['app-1', "o'neil", 'never']);
    assert.deepEqual(Object.fromEntries(use), { 'app-1': AT + 2, "o'neil": AT });
  });

  test('keeps revocations until they no longer matter', async (store) => {
    await store.putRevocation(revocation('credential', 'app-1'));
    await store.putRevocation(revocation('token', 'jti', { until: AT + 10, at: AT + 1 }));
    assert.deepEqual(await store.revocations(AT + 9), [
      revocation('token', 'jti', { until: AT + 10, at: AT + 1 }),
      revocation('credential', 'app-1'),
    ]);
    assert.deepEqual(await store.revocations(AT + 10), [revocation('credential', 'app-1')]);
    assert.deepEqual(await store.revocations(AT), [revocation('credential', 'app-1')]);
    assert.equal(await store.removeRevocation(revocation('credential', 'app-1')), true);
    assert.deepEqual(await store.revocations(AT), []);
  });

  test('never shortens a revocation', async (store) => {
    const untils = async () => (await store.revocations(AT)).map(({ until }) => until);
    for (const [until, expected] of [
      [AT + 20, AT + 20],
      [AT + 10, AT + 20],
      [AT + 30, AT + 30],
      [undefined, undefined],
      [AT + 10, undefined],
    ]) {
      await store.putRevocation(revocation('token', 'jti', { until }));
      assert.deepEqual(await untils(), [expected]);
    }
  });

  test('tells tokens of two issuers apart', async (store) => {
    await store.putRevocation(revocation('token', 'jti'));
    await store.putRevocation(revocation('token', 'jti', { issuer: 'https://other.example' }));
    assert.equal((await store.revocations(AT)).length, 2);
    assert.equal(await store.removeRevocation(revocation('token', 'jti')), true);
    assert.deepEqual(
      (await store.revocations(AT)).map(({ issuer }) => issuer),
      ['https://other.example'],
    );
  });
}
