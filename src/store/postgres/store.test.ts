import { after } from 'node:test';
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
