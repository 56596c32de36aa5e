import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identity } from '../../../test/fixtures/policy-context.ts';
import type { Identity } from '../../contract/index.ts';
import { fieldList, fieldText, KONG_FIELDS } from './identity-fields.ts';

describe('an upstream is told in Kong’s names', () => {
  const cases: [name: string, who: Identity | undefined, fields: string[]][] = [
    ['nothing of nobody', undefined, []],
    ['who calls', identity({ consumer: 'ann' }), ['X-Consumer-Username', 'ann']],
    [
      'all there is to tell',
      identity({
        consumer: 'ann',
        consumerId: '17',
        groups: ['a', 'b'],
        scopes: ['read', 'write'],
        credential: { id: 'k-1', kind: 'api-key' },
        claims: { email: 'ann@example.com' },
      }),
      [
        'X-Consumer-Username',
        'ann',
        'X-Consumer-ID',
        '17',
        'X-Consumer-Groups',
        'a, b',
        'X-Authenticated-Scope',
        'read write',
        'X-Credential-Identifier',
        'k-1',
      ],
    ],
    [
      'that nothing was proved',
      identity({ consumer: 'guest', anonymous: true }),
      ['X-Consumer-Username', 'guest', 'X-Anonymous-Consumer', 'true'],
    ],
    [
      'one group where its name has a separator',
      identity({ consumer: 'é', groups: ['a, admins'] }),
      ['X-Consumer-Username', '%C3%A9', 'X-Consumer-Groups', 'a%2C%20admins'],
    ],
    [
      'a name that looks encoded as one that is',
      identity({ consumer: '%61dmin', groups: ['%61dmins', '50% off'], scopes: ['a%20b'] }),
      [
        'X-Consumer-Username',
        '%2561dmin',
        'X-Consumer-Groups',
        '%2561dmins, 50%25%20off',
        'X-Authenticated-Scope',
        'a%2520b',
      ],
    ],
    ['nothing too long', identity({ consumer: 'x'.repeat(4097) }), []],
    ['nothing that is too long once encoded', identity({ consumer: 'é'.repeat(1000) }), []],
  ];
  for (const [name, who, fields] of cases) {
    it(name, () => assert.deepEqual(KONG_FIELDS.of(who), fields));
  }
});

describe('whoever decodes what the upstream is told reads what it was', () => {
  for (const name of ['admin', '%61dmin', '%', '%25', 'é', '%C3%A9', 'a b', ' a', 'a,b', '100%', 'a%20b']) {
    it(name, () => {
      assert.equal(decodeURIComponent(fieldText(name) ?? ''), name);
      const list = fieldList([name, 'last'], ', ') ?? '';
      assert.deepEqual(list.split(', ').map(decodeURIComponent), [name, 'last']);
    });
  }
});
