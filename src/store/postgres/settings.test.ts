import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../errors.ts';
import { type PostgresAddress, parsePostgresAddress, postgresText } from './settings.ts';

const REFUSED: readonly [string, string][] = [
  ['', 'nothing'],
  ['postgres://', 'no host'],
  ['postgres://store', 'no database'],
  ['postgres://store/', 'an empty database'],
  ['postgres:///gateway', 'no host and no socket'],
  ['redis://store/gateway', 'another scheme'],
  ['postgres://a,b/gateway', 'several hosts'],
  ['postgres://store:0/gateway', 'port 0'],
  ['postgres://store:65536/gateway', 'a port that is none'],
  ['postgres://sto re/gateway', 'a space'],
  ['postgres://store/gateway/more', 'a longer path'],
  ['postgres://store/gate%way', 'a part that is not percent-encoded'],
  ['postgres://store/gate%00way', 'a NUL'],
  ['postgres://store/gateway#a', 'a fragment'],
  ['postgres://store/gateway?sslmode=prefer', 'what falls back to no encryption'],
  ['postgres://store/gateway?sslmode=allow', 'what falls back to no encryption'],
  ['postgres://store/gateway?sslmode=', 'an empty mode'],
  ['postgres://store/gateway?sslmode=verify-full&sslmode=disable', 'two modes'],
  ['postgres://store/gateway?sslrootcert=/etc/passwd', 'a parameter that reads files'],
  ['postgres://store/gateway?options=-c%20a=b', 'a parameter of the server'],
  ['postgres://store/gateway?schema=pg_catalog', 'the server’s own schema'],
  ['postgres://store/gateway?schema=a%20-c%20fsync=off', 'a schema that says more'],
  ['postgres://store/gateway?schema=A', 'a schema that would need quotes'],
  ['postgres://store/gateway?schema=', 'an empty schema'],
  ['postgres://store/gateway?host=/run', 'a host and a socket'],
  ['postgres:///gateway?host=run', 'a socket that is no path'],
];

const READ: readonly [string, Partial<PostgresAddress>, string][] = [
  [
    'postgres://127.0.0.1/gateway',
    {
      host: '127.0.0.1',
      port: 5432,
      database: 'gateway',
      user: 'sallyport',
      schema: 'sallyport',
      tls: 'disable',
    },
    'postgres://sallyport@127.0.0.1:5432/gateway',
  ],
  ['postgresql://me@localhost:1/a', { user: 'me', port: 1, tls: 'disable' }, 'postgres://me@localhost:1/a'],
  ['postgres://[::1]:1/a', { host: '::1', tls: 'disable' }, 'postgres://sallyport@[::1]:1/a'],
  ['postgres://store.example/a', { tls: 'verify-full' }, 'postgres://sallyport@store.example:5432/a'],
  ['postgres://192.0.2.1/a', { tls: 'verify-full' }, 'postgres://sallyport@192.0.2.1:5432/a'],
  ['postgres://127.0.0.1.example/a', { tls: 'verify-full' }, 'postgres://sallyport@127.0.0.1.example:5432/a'],
  ['postgres://store/a?sslmode=disable', { tls: 'disable' }, 'postgres://sallyport@store:5432/a'],
  ['postgres://localhost/a?sslmode=verify-ca', { tls: 'verify-ca' }, 'postgres://sallyport@localhost:5432/a'],
  [
    'postgres://store/a?schema=blue&sslmode=require',
    { schema: 'blue', tls: 'require' },
    'postgres://sallyport@store:5432/a',
  ],
  [
    'postgres:///a?host=%2Fvar%2Frun%2Fpostgresql',
    { host: '/var/run/postgresql', tls: 'disable' },
    'postgres://sallyport@/a?host=/var/run/postgresql',
  ],
  [
    'postgres://m%40e:s%3Aecret%25@store/a',
    { user: 'm@e', password: 's:ecret%' },
    'postgres://m%40e@store:5432/a',
  ],
];

describe('the URL of a store in Postgres', () => {
  for (const [url, why] of REFUSED) {
    test(`is refused with ${why}: ${url}`, () => {
      assert.throws(() => parsePostgresAddress(url), ConfigError);
    });
  }

  test('is refused without a word of what stands in it', () => {
    for (const url of [
      'postgres://me:secret@a b/x',
      'postgres://me:secret@h/x?secret=1',
      'postgres://me:%secret@h/x',
    ]) {
      assert.throws(
        () => parsePostgresAddress(url),
        (error) => error instanceof ConfigError && !/secret/.test(JSON.stringify(error.issues) + error.stack),
      );
    }
  });

  for (const [url, expected, text] of READ) {
    test(`is read: ${url}`, () => {
      const address = parsePostgresAddress(url);
      assert.deepEqual({ ...address, ...expected }, address);
      assert.equal(postgresText(address), text);
      assert.doesNotMatch(postgresText(address), /ecret/);
    });
  }
});
