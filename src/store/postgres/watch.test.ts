import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { PostgresServer } from '../../../test/fixtures/postgres-server.ts';
import { eventually } from '../../../test/fixtures/process.ts';
import { watchedStore } from '../../../test/fixtures/watched-store.ts';
import type { Store, StoreChange } from '../store.ts';

const server = await PostgresServer.start();
after(() => server.stop());

const AT = 1_700_000_000_000;
const consumer = (name: string) => ({
  name,
  externalId: undefined,
  groups: [],
  createdAt: AT,
  createdBy: 'admin',
  disabledAt: undefined,
});
const credential = (n: number) => ({
  id: `cr-${n}`,
  consumer: 'app',
  kind: 'api-key' as const,
  lookup: `l-${n}`,
  shown: 's',
  verifier: undefined,
  sealed: undefined,
  createdAt: AT,
  createdBy: 'admin',
  notBefore: undefined,
  expiresAt: undefined,
  revokedAt: undefined,
  successor: undefined,
});
const revocation = {
  kind: 'token' as const,
  issuer: 'i',
  subject: 't',
  at: AT,
  by: 'admin',
  reason: '',
  until: undefined,
};
const ban = { id: 'b1', network: '192.0.2.1/32', sinceMs: AT, untilMs: AT + 1, reason: '', by: 'admin' };
const imposed = {
  ...{ id: 'i1', caller: 'consumer a', sinceMs: AT, untilMs: AT, forgetMs: AT, reason: '', by: 'a' },
  ...{ strike: 1, round: 1, shadow: false },
};
const rollout = { id: 'r1', revision: '', base: '', isOpen: true, startedAt: AT, state: {} };
const listState = {
  ...{ list: 'drop', current: undefined, pinned: false, fetched: undefined, etag: undefined },
  ...{ lastModified: undefined, source: '', refreshedAt: undefined, held: undefined, rejected: undefined },
};
const revision = { id: 'f'.repeat(64), document: '', files: {}, createdAt: AT, author: 'a', reason: '' };

/** What is done, and what others are told of it. */
const TOLD: readonly [string, (store: Store) => Promise<unknown>, readonly string[]][] = [
  ['a consumer comes', (s) => s.consumers.putConsumer(consumer('app')), ['consumers app']],
  ['and is changed', (s) => s.consumers.updateConsumer('app', { groups: ['x'] }), ['consumers app']],
  ['a credential comes', (s) => s.consumers.putCredential(credential(1)), ['credentials cr-1']],
  [
    'and is succeeded',
    (s) => s.consumers.succeedCredential('cr-1', credential(2), AT),
    ['credentials cr-1', 'credentials cr-2'],
  ],
  ['and is revoked', (s) => s.consumers.revokeCredential('cr-2', AT), ['credentials cr-2']],
  ['its consumer goes', (s) => s.consumers.removeConsumer('app'), ['consumers app']],
  ['a token is revoked', (s) => s.consumers.putRevocation(revocation), ['revocations ']],
  ['and is not any more', (s) => s.consumers.removeRevocation(revocation), ['revocations ']],
  ['an address is banned', (s) => s.bans.put(ban), ['bans b1']],
  ['and is not any more', (s) => s.bans.remove('b1'), ['bans b1']],
  ['a policy bans', (s) => s.bans.putImposed([imposed], []), ['imposed-bans ']],
  ['a list moves on', (s) => s.lists.putState(listState), ['lists drop']],
  ['a rollout begins', (s) => s.rollouts.begin(rollout), ['rollouts r1']],
  ['and goes on', (s) => s.rollouts.update(rollout, 1), ['rollouts r1']],
  [
    'a revision is active',
    async (s) => {
      await s.putRevision(revision);
      await s.setActive(revision.id, AT);
    },
    [`activations ${revision.id}`],
  ],
  // What changes nothing, or is nobody else's affair.
  ['no ban goes', (s) => s.bans.remove('none'), []],
  ['no rollout goes on', (s) => s.rollouts.update(rollout, 9), []],
  ['a refusal', (s) => assert.rejects(s.consumers.revokeCredential('none', AT)), []],
  ['a credential is used', (s) => s.consumers.noteUse([{ id: 'cr-1', at: AT }]), []],
];

const textOf = (changes: readonly StoreChange[] | 'unknown'): string[] =>
  changes === 'unknown' ? ['unknown'] : changes.map(({ topic, subject }) => `${topic} ${subject}`);

async function twoNodes() {
  const schema = server.newSchema();
  const [a, b] = [await watchedStore(server, { schema }), await watchedStore(server, { schema })];
  const told: { readonly a: string[]; readonly b: string[] } = { a: [], b: [] };
  await a.store.watch((changes) => void told.a.push(...textOf(changes)));
  await b.store.watch((changes) => void told.b.push(...textOf(changes)));
  const close = async (): Promise<void> => {
    await a.store.close();
    await b.store.close();
  };
  return { schema, a: a.store, b: b.store, told, close };
}

describe('what a node changes', () => {
  test('is told to the others by topic, in order, and not to itself', async () => {
    const { a, told, close } = await twoNodes();
    const expected: string[] = [];
    for (const [title, change, changes] of TOLD) {
      await change(a);
      expected.push(...changes);
      await eventually(async () => told.b.length >= expected.length, 1000).catch(() => {});
      assert.deepEqual(told.b, expected, title);
    }
    assert.deepEqual(told.a, []);
    await close();
  });

  test('is told once and in order when many change at once', async () => {
    const { a, b, told, close } = await twoNodes();
    const names = Array.from({ length: 60 }, (_, n) => `c${n}`);
    await Promise.all(names.map((name, n) => (n % 2 ? a : b).consumers.putConsumer(consumer(name))));
    await eventually(async () => told.a.length >= 30 && told.b.length >= 30);
    const of = (rest: number) => names.filter((_, n) => n % 2 === rest).map((name) => `consumers ${name}`);
    assert.deepEqual([told.a.toSorted(), told.b.toSorted()], [of(0).toSorted(), of(1).toSorted()]);
    await close();
  });

  test('is told within a second, though the server’s own telling is cut off', async () => {
    const { a, b, told, close } = await twoNodes();
    await eventually(async () => (await listeners()) >= 2);
    await server.ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`);
    // Also where nothing is told at all.
    await server.ask('SELECT pg_notification_queue_usage()');
    await a.consumers.putConsumer(consumer('app'));
    await eventually(async () => told.b.length === 1, 2000);
    assert.deepEqual(told.b, ['consumers app']);
    await eventually(async () => (await listeners()) >= 2);
    await b.consumers.putConsumer(consumer('other'));
    await eventually(async () => told.a.length === 1, 2000);
    await close();
  });

  test('is unknown where so much was missed that it is kept no more, or where all was put back', async () => {
    const { schema, a, told, close } = await twoNodes();
    await server.inStore(`UPDATE ${schema}.change_head SET number = 70`);
    await eventually(async () => told.b.length === 1);
    await a.consumers.putConsumer(consumer('app'));
    await eventually(async () => told.b.length === 2);
    await server.inStore(`UPDATE ${schema}.change_head SET number = 3; DELETE FROM ${schema}.changes`);
    await eventually(async () => told.b.length === 3);
    assert.deepEqual(told.b, ['unknown', 'consumers app', 'unknown']);
    await close();
  });

  test('is no longer told to who has ended', async () => {
    const { a, b, told, close } = await twoNodes();
    const more: string[] = [];
    const end = await b.watch((changes) => void more.push(...textOf(changes)));
    end();
    await a.consumers.putConsumer(consumer('app'));
    await eventually(async () => told.b.length === 1);
    assert.deepEqual(more, []);
    await close();
  });

  test('is forgotten in time', async () => {
    const { schema, a, close } = await twoNodes();
    await server.inStore(`UPDATE ${schema}.change_head SET number = 10998;
      INSERT INTO ${schema}.changes SELECT n, 'bans', '', '' FROM generate_series(500, 10998) n`);
    await a.consumers.putConsumer(consumer('one'));
    await a.consumers.putConsumer(consumer('two'));
    const [row] = await server.inStore(
      `SELECT min(number) AS first, max(number) AS last FROM ${schema}.changes`,
    );
    assert.deepEqual([Number(row.first), Number(row.last)], [1001, 11_000]);
    await close();
  });
});

async function listeners(): Promise<number> {
  const [row] = await server.ask(`SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`);
  return Number(row.n);
}
