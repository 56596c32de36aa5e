import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { temporaryFolder } from '../../test/fixtures/process.ts';
import { ConfigError } from '../errors.ts';
import { type StoreOptions, storeSettings } from './store-option.ts';

const SECRET = 'correct-horse-battery';
const environment = { PASSWORD: SECRET, URL: `redis://app:${SECRET}@store`, EMPTY: ' ' };
const NONE: StoreOptions = {
  state: undefined,
  statePassword: undefined,
  stateCa: undefined,
  stateTimeout: undefined,
};

const bad: readonly (readonly [what: string, path: string, options: Partial<StoreOptions>])[] = [
  ['a password in the URL', '--state', { state: `redis://:${SECRET}@store` }],
  ['a password itself', '--state-password', { state: 'redis://store', statePassword: SECRET }],
  ['an unset variable', '--state-password', { state: 'redis://store', statePassword: 'env:OTHER' }],
  ['an empty variable', '--state-password', { state: 'redis://store', statePassword: 'env:EMPTY' }],
  [
    'a file that is not there',
    '--state-password',
    { state: 'redis://store', statePassword: 'file:/nowhere' },
  ],
  ['two passwords', '--state-password', { state: 'env:URL', statePassword: 'env:PASSWORD' }],
  ['a URL that is not set', '--state', { state: 'env:OTHER' }],
  ['a URL that is none', '--state', { state: `store:${SECRET}` }],
  ['a password without a store', '--state', { statePassword: 'env:PASSWORD' }],
  ['patience without a store', '--state', { stateTimeout: 20 }],
  ['certificates without a store', '--state', { stateCa: 'ca.pem' }],
  ['certificates without TLS', '--state-ca', { state: 'redis://store', stateCa: 'ca.pem' }],
  ['no patience', '--state-timeout', { state: 'redis://store', stateTimeout: 0 }],
  ['much patience', '--state-timeout', { state: 'redis://store', stateTimeout: 5000 }],
];

describe('the store on the command line', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    folder = await temporaryFolder();
    await writeFile(join(folder.path, 'password'), `${SECRET}\n`);
  });
  after(() => folder.remove());

  for (const [what, path, options] of bad) {
    it(`is refused with ${what}, and no word of the secret`, () => {
      assert.throws(
        () => storeSettings({ ...NONE, ...options }, environment, 'n'),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.issues[0].path, path);
          assert.ok(!JSON.stringify(error.issues).includes(SECRET));
          return true;
        },
      );
    });
  }

  it('is none where none is named', () => assert.equal(storeSettings(NONE, environment, 'n'), undefined));

  it('takes its password from a variable, from a file, or with the URL from a variable', () => {
    const passwords = [
      { state: 'redis://app@store', statePassword: 'env:PASSWORD' },
      { state: 'redis://app@store', statePassword: `file:${join(folder.path, 'password')}` },
      { state: 'env:URL' },
    ].map((options) => storeSettings({ ...NONE, ...options }, environment, 'n'));
    for (const settings of passwords) {
      assert.equal(settings?.password, SECRET);
      assert.equal(settings?.username, 'app');
      assert.equal(settings?.timeoutMs, 20);
    }
  });
});
