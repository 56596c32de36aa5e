import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identity } from '../../test/fixtures/policy-context.ts';
import type { Identity } from '../contract/index.ts';
import { KONG_FIELDS } from './identity-fields.ts';

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
    ['nothing too long', identity({ consumer: 'x'.repeat(4097) }), []],
    ['nothing that is too long once encoded', identity({ consumer: 'é'.repeat(1000) }), []],
  ];
  for (const [name, who, fields] of cases) {
    it(name, () => assert.deepEqual(KONG_FIELDS.of(who), fields));
  }
});
