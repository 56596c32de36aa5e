import { documentWith } from '../../../test/fixtures/config.ts';
import { checkLint, policies, route } from '../../../test/fixtures/lint.ts';

checkLint('inline-secret', [
  {
    name: 'values of headers',
    document: policies({
      headers: {
        request: {
          set: {
            authorization: 'Bearer abcdefgh12345678',
            'X-Api-Key': '2f9a8b7c6d5e4f3a',
            Cookie: 'sid=4f3a2f9a8b7c',
            'x-greeting': 'good-morning-2026',
            'x-token': ['$', '{request.id}'].join(''),
            'x-secret': 'optional',
          },
        },
      },
    }),
    found: ['authorization', 'X-Api-Key', 'Cookie'].map(
      (name) => `error routes[0].policies[1].headers.request.set.${name}`,
    ),
  },
  {
    name: 'what a route or a condition compares, and what is known by its form wherever it stands',
    document: documentWith({
      lists: {
        drop: { source: 'https://feeds.example.net/x', headers: { 'x-feed': `AKIA${'ABCD'.repeat(4)}` } },
      },
      routes: [
        route('a', { path: '/a', headers: { 'x-api-key': '2f9a8b7c6d5e4f3a' } }),
        route(
          'b',
          { path: '/b' },
          {
            policies: [{ 'api-key': {}, when: 'request.headers["x-secret"] == "2f9a8b7c6d5e"' }],
          },
        ),
        route('c', { path: '/c' }, { policies: [{ 'api-key': {}, owner: `ghp_${'a1B2'.repeat(9)}` }] }),
      ],
      tests: [
        {
          name: 't',
          request: { path: '/a', headers: { 'x-api-key': '2f9a8b7c6d5e4f3a' } },
          expect: { status: 401 },
        },
        {
          name: 'u',
          request: { path: '/a', headers: { 'x-v': `sk-${'a1B2'.repeat(9)}` } },
          expect: { status: 401 },
        },
      ],
    }),
    found: [
      'error lists.drop.headers.x-feed',
      'error routes[0].match.headers.x-api-key',
      'error routes[1].policies[0].when',
      'error routes[2].policies[0].owner',
      'error tests[1].request.headers.x-v',
    ],
  },
  {
    name: 'references',
    document: documentWith({
      lists: { drop: { source: 'https://feeds.example.net/x', headers: { authorization: 'env:KEY' } } },
      consumers: [{ name: 'c', credentials: [{ 'api-key': { secret: 'env:KEY' } }] }],
    }),
    found: [],
  },
]);
