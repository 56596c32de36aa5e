import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError } from '../../errors.ts';
import { parseStoreAddress, type StoreAddress, storeAddressText } from './store-settings.ts';

const bad: readonly (readonly [url: string, why: string])[] = [
  ['', 'nothing'],
  ['localhost:6379', 'no scheme'],
  ['http://store', 'another scheme'],
  ['redis:store', 'no slashes'],
  ['redis://', 'no host'],
  ['redis+tls://store', 'an unknown mode'],
  ['redis://store:0', 'port 0'],
  ['redis://store:65536', 'a port too high'],
  ['redis://sto re', 'a space'],
  ['redis://a,b', 'several hosts without a mode'],
  ['redis+cluster://a,,b', 'an empty host'],
  ['redis://2001:db8::1', 'IPv6 without brackets'],
  ['redis://store/zero', 'a database that is no number'],
  ['redis://store/0/1', 'a second path'],
  ['redis+cluster://a/1', 'a database of a cluster'],
  ['redis+sentinel://a,b', 'sentinels without a name'],
  ['redis+sentinel://a/my master', 'a name with a space'],
  ['redis+sentinel://a/mymaster/x', 'sentinels and no number'],
  ['redis://store?tls=1', 'an unknown question'],
  ['redis://store?prefix=', 'an empty prefix'],
  ['redis://store?prefix=a{b}', 'a prefix that would choose slots'],
  ['redis://store?prefix=a&prefix=b', 'two prefixes'],
  ['redis://store#x', 'a fragment'],
  ['redis://user:%zz@store', 'a percent sign alone'],
];

const good: readonly (readonly [url: string, is: Partial<StoreAddress>, shown: string])[] = [
  [
    'redis://store',
    { kind: 'single', hosts: [{ host: 'store', port: 6379 }], isTls: false, database: 0, prefix: 'sp' },
    'redis://store:6379',
  ],
  ['valkey://store:7000/2', { hosts: [{ host: 'store', port: 7000 }], database: 2 }, 'redis://store:7000/2'],
  [
    'rediss://[2001:db8::1]:1',
    { isTls: true, hosts: [{ host: '2001:db8::1', port: 1 }] },
    'rediss://[2001:db8::1]:1',
  ],
  ['valkeys://store', { isTls: true }, 'rediss://store:6379'],
  ['redis://store/?prefix=staging', { prefix: 'staging', database: 0 }, 'redis://store:6379'],
  ['redis://app@store', { username: 'app', password: undefined }, 'redis://store:6379'],
  ['redis://app:p%40ss%3A@store', { username: 'app', password: 'p@ss:' }, 'redis://store:6379'],
  ['redis://:secret@store', { username: undefined, password: 'secret' }, 'redis://store:6379'],
  [
    'redis+sentinel://a,b:1/mymaster',
    {
      kind: 'sentinel',
      name: 'mymaster',
      hosts: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 1 },
      ],
    },
    'redis+sentinel://a:26379,b:1/mymaster',
  ],
  ['rediss+sentinel://a/m/3', { name: 'm', database: 3, isTls: true }, 'rediss+sentinel://a:26379/m/3'],
  ['redis+cluster://a:1,b:2', { kind: 'cluster' }, 'redis+cluster://a:1,b:2'],
];

describe('the URL of a store', () => {
  for (const [url, why] of bad) {
    it(`is refused with ${why}`, () => assert.throws(() => parseStoreAddress(url), ConfigError));
  }

  it('is not repeated where it is refused: a password may stand in it', () => {
    for (const url of ['redis://:hunter22@a,b', 'rdis://:hunter22@a', 'redis://:hunter22%zz@a', 'hunter22']) {
      assert.throws(
        () => parseStoreAddress(url),
        (error) => error instanceof ConfigError && !JSON.stringify(error.issues).includes('hunter22'),
      );
    }
  });

  for (const [url, is, shown] of good) {
    it(`${url} is understood, and shown as ${shown}`, () => {
      const address = parseStoreAddress(url);
      assert.deepEqual({ ...address, ...is }, address);
      assert.equal(storeAddressText(address), shown);
    });
  }
});
