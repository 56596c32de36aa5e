import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { AUTHORITY } from '../../test/fixtures/certificates.ts';
import { ConfigError } from '../errors.ts';
import { type PostgresOptions, postgresSettings } from './postgres-option.ts';

const folder = mkdtempSync(join(tmpdir(), 'store-option-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const environment = { PASSWORD: 'hunter2', URL: 'postgres://me:hunter2@store/a', EMPTY: '' };
const settingsOf = (more: Partial<PostgresOptions>) =>
  postgresSettings({ store: undefined, storePassword: undefined, storeCa: undefined, ...more }, environment);

const URL = 'postgres://me@store/a';

const REFUSED: readonly [string, Partial<PostgresOptions>][] = [
  ['a password without a store', { storePassword: 'env:PASSWORD' }],
  ['an authority without a store', { storeCa: file('ca.pem', AUTHORITY) }],
  ['a password in the list of processes', { store: 'postgres://me:hunter2@store/a' }],
  ['a password by itself', { store: URL, storePassword: 'hunter2' }],
  ['two passwords', { store: 'env:URL', storePassword: 'env:PASSWORD' }],
  ['a name that the environment has not', { store: 'env:NONE' }],
  ['an empty one', { store: 'env:EMPTY' }],
  ['a password that the environment has not', { store: URL, storePassword: 'env:NONE' }],
  ['a file that is not there', { store: `file:${folder}/none` }],
  ['an empty file', { store: URL, storePassword: `file:${file('empty', '\n')}` }],
  ['no URL', { store: 'store:5432' }],
  ['an authority that nobody asks', { store: 'postgres://localhost/a', storeCa: file('ca.pem', AUTHORITY) }],
];

describe('--store', () => {
  for (const [title, options] of REFUSED) {
    test(`refuses ${title}, and does not repeat it`, () => {
      assert.throws(
        () => settingsOf(options),
        (error) =>
          error instanceof ConfigError && !/hunter2/.test(`${JSON.stringify(error.issues)}${error.stack}`),
      );
    });
  }

  test('is nothing where nobody asks for it', () => {
    assert.equal(settingsOf({}), undefined);
  });

  test('takes the password from elsewhere', () => {
    const written = file('password', 'hunter3\n');
    assert.equal(settingsOf({ store: 'env:URL' })?.readPassword(), 'hunter2');
    assert.equal(settingsOf({ store: URL })?.readPassword(), undefined);
    assert.equal(settingsOf({ store: URL, storePassword: 'env:PASSWORD' })?.readPassword(), 'hunter2');
    const settings = settingsOf({ store: URL, storePassword: `file:${written}` });
    assert.equal(settings?.readPassword(), 'hunter3');
    file('password', 'hunter4\n');
    assert.equal(settings?.readPassword(), 'hunter4', 'it may change');
  });

  test('takes the whole URL from a file, and its password anew', () => {
    const url = file('url', 'postgres://me:one@store/a?sslmode=verify-ca\n');
    const settings = settingsOf({ store: `file:${url}`, storeCa: file('ca.pem', AUTHORITY) });
    assert.deepEqual([settings?.host, settings?.tls, settings?.ca], ['store', 'verify-ca', AUTHORITY]);
    file('url', 'postgres://me:two@store/a\n');
    assert.equal(settings?.readPassword(), 'two');
    assert.equal(JSON.stringify(settings).includes('one'), false);
  });
});
