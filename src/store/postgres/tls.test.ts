import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { AUTHORITY, EXPIRED, LOCAL, OTHER } from '../../../test/fixtures/certificates.ts';
import { PostgresServer } from '../../../test/fixtures/postgres-server.ts';
import { type WatchedOptions, watchedStore } from '../../../test/fixtures/watched-store.ts';

const servers = {
  local: await PostgresServer.start({ tls: LOCAL }),
  other: await PostgresServer.start({ tls: OTHER }),
  expired: await PostgresServer.start({ tls: EXPIRED }),
  plain: await PostgresServer.start(),
};
after(async () => {
  for (const server of Object.values(servers)) await server.stop();
});

const full = { query: '&sslmode=verify-full', ca: AUTHORITY };

const CASES: readonly [string, keyof typeof servers, WatchedOptions, 'ok' | 'unavailable'][] = [
  ['one that offers no TLS', 'plain', full, 'unavailable'],
  [
    'one that offers no TLS, where anybody is believed',
    'plain',
    { query: '&sslmode=require' },
    'unavailable',
  ],
  ['one that the system does not know', 'local', { query: '&sslmode=verify-full' }, 'unavailable'],
  [
    'one that the system does not know, whoever it is',
    'local',
    { query: '&sslmode=verify-ca' },
    'unavailable',
  ],
  ['one with a certificate for another', 'other', full, 'unavailable'],
  ['one with a certificate for another, by name', 'other', { ...full, host: 'localhost' }, 'unavailable'],
  ['one whose certificate is over', 'expired', full, 'unavailable'],
  [
    'one whose certificate is over, whoever it is',
    'expired',
    { ...full, query: '&sslmode=verify-ca' },
    'unavailable',
  ],
  ['the right one by address', 'local', full, 'ok'],
  ['the right one by name', 'local', { ...full, host: 'localhost' }, 'ok'],
  ['one of the authority, whoever it is', 'other', { ...full, query: '&sslmode=verify-ca' }, 'ok'],
  ['anybody', 'other', { query: '&sslmode=require' }, 'ok'],
];

describe('a Postgres over TLS', () => {
  for (const [title, name, options, expected] of CASES) {
    test(`${expected === 'ok' ? 'is' : 'is not'} ${title}`, async () => {
      const { store, health, told } = await watchedStore(servers[name], options);
      assert.equal(health.state, expected, told.said);
      if (expected === 'ok') {
        await store.appendAudit({ at: 1, actor: 'a', action: 'a', subject: 's', detail: {} });
        const [row] = await servers[name].ask(
          `SELECT bool_and(ssl) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'sallyport'`,
        );
        assert.equal(row.ssl, true);
      }
      await store.close();
    });
  }

  test('is not waited for when it says nothing more', async () => {
    const { store } = await watchedStore(servers.local, full);
    servers.local.pause();
    const startMs = performance.now();
    await assert.rejects(store.active(), { code: 'unavailable' });
    await store.close();
    const ms = performance.now() - startMs;
    assert.ok(ms < 2500, `${ms} ms`);
    servers.local.resume();
  });

  test('is asked for as it is said, whatever the environment says', async () => {
    const lies = {
      PGHOST: 'elsewhere.invalid',
      PGPORT: '1',
      PGUSER: 'nobody',
      PGPASSWORD: 'wrong',
      PGDATABASE: 'none',
      PGSSLMODE: 'disable',
      PGOPTIONS: '-c search_path=public',
    };
    Object.assign(process.env, lies);
    try {
      const { store, health } = await watchedStore(servers.local, full);
      assert.equal(health.state, 'ok');
      await store.close();
    } finally {
      for (const name of Object.keys(lies)) delete process.env[name];
    }
  });
});
