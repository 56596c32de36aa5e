/** Routes that callers get to in several ways, and requests that try them. */
import type { Dice } from '../../fuzz/generate.ts';
import type { Draft } from './requests.ts';

const SECOND = 'x-second-key';
const SECOND_KEY = { 'api-key': { header: SECOND, realm: 'second' } };

export const WAYS_IN = [
  {
    name: 'ways',
    listeners: ['public'],
    match: { path: '/ways/**' },
    upstream: 'origin',
    policies: [
      { 'identity-headers': { preset: 'none', headers: { 'X-User': 'consumer', 'X-Groups': 'groups' } } },
      {
        'any-of': [
          {
            'all-of': { members: [{ 'api-key': {} }, { ...SECOND_KEY, name: 'second' }], identity: 'second' },
          },
          { ...SECOND_KEY, when: 'request.headers["x-plan"] == "gold"' },
          { anonymous: { consumer: 'guest' }, when: 'request.method == "GET"' },
        ],
      },
      {
        acl: {
          allow: [{ groups: ['staff', 'public'] }, { claims: { level: [1] } }],
          deny: { paths: ['/ways/out'] },
        },
      },
    ],
  },
  {
    name: 'both',
    listeners: ['public'],
    match: { path: '/both/**' },
    upstream: 'origin',
    policies: [
      { 'all-of': [{ 'api-key': {} }, SECOND_KEY] },
      { acl: { allow: { groups: ['staff'], times: [{ zone: 'Europe/Berlin', days: ['mon-sun'] }] } } },
    ],
  },
  {
    name: 'guests',
    listeners: ['public'],
    match: { path: '/guests/**' },
    upstream: 'origin',
    policies: [
      { anonymous: { consumer: 'guest' } },
      { acl: { allow: { groups: ['public'], when: 'request.query["page"] != "0"' } }, mode: 'shadow' },
    ],
  },
];

/** `keys`: right ones and others. */
export function sendWays(dice: Dice, keys: readonly string[]): Draft {
  const sent = (name: string): readonly string[] => (dice.oneIn(4) ? [] : [name, dice.pick(keys)]);
  return {
    method: dice.pick(['GET', 'GET', 'POST']),
    host: 'other.test',
    path: dice.pick(['/ways/in', '/ways/in', '/ways/Out.', '/both/in', '/both/in', '/both/in', '/guests/in']),
    query: dice.pick(['', '', 'page=1']),
    fields: [
      ...sent('X-API-Key'),
      ...sent(SECOND),
      ...(dice.oneIn(3) ? ['X-Plan', 'gold'] : []),
      ...(dice.oneIn(3) ? ['X-User', 'root'] : []),
    ],
  };
}
