import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { PostgresServer } from '../../../test/fixtures/postgres-server.ts';
import { eventually } from '../../../test/fixtures/process.ts';
import { CutWay } from '../../../test/fixtures/redis-server.ts';
import {
  type WatchedOptions,
  type WatchedStore,
  watchedStore,
} from '../../../test/fixtures/watched-store.ts';
import type { Store } from '../store.ts';

const server = await PostgresServer.start();
after(() => server.stop());

const PATIENCE_MS = 1000;
const entry = { at: 1, actor: 'admin', action: 'test', subject: 's', detail: {} };
const unavailable = { name: 'StoreError', code: 'unavailable' };

const elapsed = async (work: () => Promise<unknown>): Promise<number> => {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
};

const answers = async (store: Store): Promise<boolean> => {
  try {
    await store.appendAudit(entry);
    return true;
  } catch {
    return false;
  }
};

/** The store is lost, by then, and comes back when `mend` has made it possible. */
async function isToldOnce(
  { store, health, told }: WatchedStore,
  mend: () => Promise<void> | void,
): Promise<void> {
  assert.equal(health.state, 'unavailable');
  assert.equal(told.up, 0);
  // Nobody waits for what is lost.
  const ms = await elapsed(() => assert.rejects(store.active(), unavailable));
  assert.ok(ms < 200, `${ms} ms`);
  await mend();
  await eventually(() => answers(store), 15_000);
  assert.deepEqual(told.events, ['store-unavailable', 'store-recovered']);
  assert.equal(health.state, 'ok');
  assert.equal(told.up, 1);
  assert.doesNotMatch(told.said, /first-password|second-password/);
}

const losing = (
  title: string,
  run: (world: WatchedStore) => Promise<void>,
  options: WatchedOptions = {},
): void =>
  void test(title, async () => {
    const world = await watchedStore(server, { timeoutMs: PATIENCE_MS, ...options });
    try {
      await world.store.appendAudit(entry);
      await run(world);
    } finally {
      server.resume();
      await world.store.close();
    }
  });

describe('a Postgres that is lost', () => {
  losing('paused: no call hangs, and it is found again', async (world) => {
    server.pause();
    const calls = [
      () => world.store.appendAudit(entry),
      () => world.store.active(),
      () => world.store.consumers.listConsumers({ limit: 1, after: '' }),
      () => world.store.verifyAudit(),
      () => world.store.bans.put({ id: 'a', network: 'n', sinceMs: 1, untilMs: 2, reason: '', by: '' }),
      () => world.store.active(),
      () => world.store.active(),
    ];
    const ms = await elapsed(() => Promise.all(calls.map((call) => assert.rejects(call(), unavailable))));
    // Some wait for a connection first.
    assert.ok(ms < 2 * PATIENCE_MS + 500, `${ms} ms`);
    await isToldOnce(world, () => server.resume());
  });

  losing('paused, it is left without waiting for it', async ({ store }) => {
    server.pause();
    const ms = await elapsed(async () => {
      await assert.rejects(store.active(), unavailable);
    });
    assert.ok(ms < PATIENCE_MS + 500);
    const other = await watchedStore(server, { timeoutMs: PATIENCE_MS });
    const closing = await elapsed(() => other.store.close());
    assert.ok(closing < PATIENCE_MS + 500, `${closing} ms`);
  });

  losing('killed and started again', async (world) => {
    await server.kill();
    await assert.rejects(world.store.appendAudit(entry), unavailable);
    await isToldOnce(world, () => server.run());
    const verified = await world.store.verifyAudit();
    assert.ok(verified.intact);
    assert.equal(verified.head.number, 2);
  });

  test('cut off in the middle, and leading nowhere afterwards', async () => {
    const way = await CutWay.to(server.port);
    const world = await watchedStore(server, { port: way.port, timeoutMs: PATIENCE_MS });
    try {
      way.isDead = true;
      way.cut();
      const ms = await elapsed(() => assert.rejects(world.store.active(), unavailable));
      assert.ok(ms < 2 * PATIENCE_MS + 500, `${ms} ms`);
      await isToldOnce(world, () => {
        way.isDead = false;
        way.cut();
      });
    } finally {
      await world.store.close();
      await way.close();
    }
  });

  losing('with another password from now on', async (world) => {
    const known = server.password;
    await server.changePassword('second-password');
    // The gateway's is still the one before.
    server.password = known;
    await world.store.active();
    await server.disconnectAll();
    await eventually(async () => {
      await world.store.active().catch(() => {});
      return world.health.state !== 'ok';
    });
    try {
      await isToldOnce(world, () => {
        server.password = 'second-password';
      });
    } finally {
      await server.changePassword(known);
    }
  });

  losing('held up by somebody’s lock', async ({ store }) => {
    const held = server.inStore(
      `BEGIN; LOCK TABLE ${await schemaOf(store)}.audit_head IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); ROLLBACK`,
    );
    await eventually(async () => {
      const [row] = await server.ask(
        `SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3)%'`,
      );
      return Number(row.n) > 1;
    });
    const ms = await elapsed(() => assert.rejects(store.appendAudit(entry), unavailable));
    assert.ok(ms < PATIENCE_MS + 700, `${ms} ms`);
    await held;
    await eventually(() => answers(store), 15_000);
  });

  losing('ended by its administrator: the next call has a connection of its own', async ({ store }) => {
    await server.disconnectAll();
    await eventually(() => answers(store), 15_000);
  });

  test('not there at the start: it is waited for, and all it holds is news then', async () => {
    const schema = server.newSchema();
    const before = await watchedStore(server, { schema, timeoutMs: PATIENCE_MS });
    await before.store.appendAudit(entry);
    await before.store.close();
    await server.kill();
    const world = await watchedStore(server, { schema, timeoutMs: PATIENCE_MS });
    try {
      const news: unknown[] = [];
      await world.store.watch((changes) => news.push(changes));
      await isToldOnce(world, () => server.run());
      await eventually(async () => news.length > 0);
      assert.deepEqual(news, ['unknown']);
    } finally {
      await world.store.close();
    }
  });

  test('written by a newer program, it ends the start', async () => {
    const schema = server.newSchema();
    const { store } = await watchedStore(server, { schema });
    await store.close();
    await server.inStore(`UPDATE ${schema}.schema_version SET version = 99`);
    await assert.rejects(watchedStore(server, { schema }), { name: 'StoreError', code: 'schema-too-new' });
  });

  test('without its tables it is damaged, and said to be', async () => {
    const schema = server.newSchema();
    const { store, health, told } = await watchedStore(server, { schema });
    await server.inStore(`DROP TABLE ${schema}.activations`);
    for (const _ of [1, 2]) await assert.rejects(store.active(), { name: 'StoreError', code: 'corrupt' });
    // What is sound is still there.
    await store.appendAudit(entry);
    assert.deepEqual([health.state, told.up, told.events], ['damaged', 0, ['store-damaged']]);
    await store.close();
  });

  test('read-only, it is lost for who writes', async () => {
    const world = await watchedStore(server, { timeoutMs: PATIENCE_MS });
    await server.ask('ALTER ROLE sallyport SET default_transaction_read_only = on');
    await server.disconnectAll();
    await eventually(async () => !(await answers(world.store)) && world.health.state === 'unavailable');
    await isToldOnce(world, async () => {
      await server.ask('ALTER ROLE sallyport RESET default_transaction_read_only');
      await server.disconnectAll();
    });
    await world.store.close();
  });
});

/** Its name, from the server: the latest that a store was made in. */
async function schemaOf(store: Store): Promise<string> {
  await store.active();
  const [row] = await server.inStore(
    `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'store_%' ORDER BY oid DESC LIMIT 1`,
  );
  return String(row.nspname);
}
