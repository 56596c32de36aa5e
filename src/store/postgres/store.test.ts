import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { keptStoreContract } from '../../../test/contract/kept-store.contract.ts';
import { storeContract } from '../../../test/contract/store.contract.ts';
import { PostgresServer } from '../../../test/fixtures/postgres-server.ts';
import { openPostgresStore } from './index.ts';
import { parsePostgresAddress } from './settings.ts';

const server = await PostgresServer.start();
after(() => server.stop());

const settingsOf = (schema: string) => ({
  ...parsePostgresAddress(server.url(schema)),
  readPassword: () => server.password,
  ca: undefined,
  // So patient that a busy machine loses nothing.
  timeoutMs: 20_000,
});

storeContract('postgres', async () => ({
  store: await openPostgresStore(settingsOf(server.newSchema())),
  remove: () => undefined,
}));

keptStoreContract('postgres', async () => {
  const schema = server.newSchema();
  const tamper = async (sql: string): Promise<void> => {
    await server.inStore(`SET search_path = ${schema}; ${sql}`);
  };
  return {
    open: () => openPostgresStore(settingsOf(schema)),
    tamper,
    makeNewer: () => tamper('UPDATE schema_version SET version = 99'),
    remove: () => undefined,
  };
});

test('a store of an older program is brought up to date by those who start at once, and keeps what it held', async () => {
  const settings = settingsOf(server.newSchema());
  const store = await openPostgresStore(settings);
  await store.appendAudit({ at: 1, actor: 'a', action: 'b', subject: 's', detail: {} });
  await store.close();
  await server.inStore(
    `SET search_path = ${settings.schema}; DROP TABLE nodes, leases; UPDATE schema_version SET version = 1`,
  );
  const stores = await Promise.all([1, 2, 3].map(() => openPostgresStore(settings)));
  for (const one of stores) {
    const verified = await one.verifyAudit();
    assert.ok(verified.intact);
    assert.equal(verified.head.number, 1);
    await one.close();
  }
  const [row] = await server.inStore(`SELECT count(*) AS n FROM ${settings.schema}.nodes`);
  assert.equal(Number(row.n), 0);
});

test('a schema that the user may not make, and one that was made for it', async () => {
  const settings = settingsOf(server.newSchema());
  await server.ask(
    'REVOKE CREATE ON DATABASE sallyport FROM sallyport; ALTER DATABASE sallyport OWNER TO postgres',
  );
  try {
    await assert.rejects(openPostgresStore(settings), { name: 'StoreError', message: /permission denied/ });
    await server.inStore(`CREATE SCHEMA ${settings.schema} AUTHORIZATION sallyport`);
    await (await openPostgresStore(settings)).close();
  } finally {
    await server.ask(
      'ALTER DATABASE sallyport OWNER TO sallyport; GRANT CREATE ON DATABASE sallyport TO sallyport',
    );
  }
});

test('a store is reached by a socket of this machine', async () => {
  const settings = settingsOf(server.newSchema());
  const address = parsePostgresAddress(`postgres://sallyport@/sallyport?host=${server.folder}`);
  const store = await openPostgresStore({ ...settings, ...address, port: server.port });
  assert.equal(await store.active(), undefined);
  await store.close();
});
