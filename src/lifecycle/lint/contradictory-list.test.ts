import { documentWith } from '../../../test/fixtures/config.ts';
import { checkLint, listener, policies, route } from '../../../test/fixtures/lint.ts';

checkLint('contradictory-list', [
  {
    name: 'an address list against itself: the same, one within, one that ends sooner, one that outlives',
    document: policies({
      'ip-list': {
        deny: ['10.0.0.0/8', '192.0.2.1', { network: '198.51.100.0/24', expires: '2027-01-01' }],
        allow: [
          '192.0.2.1',
          '10.1.0.0/16',
          '192.0.2.0/24',
          '198.51.100.7',
          { network: '198.51.100.8', expires: '2026-12-24' },
        ],
      },
    }),
    found: [0, 1, 4].map((i) => `warning routes[0].policies[1].ip-list.allow[${i}]`),
  },
  {
    name: 'the listener denies what a route allows, on all listeners or on one of them',
    document: documentWith({
      listeners: [
        listener({ policies: [{ 'ip-list': { deny: ['10.0.0.0/8'] } }] }),
        listener({ policies: [{ 'ip-list': { allow: ['192.0.2.0/24'] } }] }, 'other', 8081),
        listener({}, 'free', 8082),
      ],
      routes: [
        route(
          'a',
          { path: '/a' },
          {
            listeners: ['public', 'other'],
            policies: [{ 'ip-list': { allow: ['10.1.0.0/16', '192.0.2.7'] } }],
          },
        ),
        route('b', { path: '/b' }, { policies: [{ 'ip-list': { allow: ['10.1.0.0/16'] } }] }),
      ],
    }),
    found: ['warning routes[0].policies[0].ip-list.allow[0]'],
  },
  {
    name: 'a list kept by hand denies what is allowed',
    document: documentWith(
      { lists: { bad: { entries: ['192.0.2.0/24'] } } },
      { policies: [{ 'ip-list': { deny: ['list:bad'], allow: ['192.0.2.1', '192.0.3.1'] } }] },
    ),
    found: ['warning routes[0].policies[0].ip-list.allow[0]'],
  },
  {
    name: 'rules of access',
    document: policies({
      acl: {
        allow: [
          { groups: ['a'] },
          { groups: ['a', 'b'] },
          { allGroups: ['a', 'b'], methods: ['GET'] },
          { groups: ['c'], paths: ['/c/{id}/x'] },
          { groups: ['c'], claims: { tier: ['gold'] } },
        ],
        deny: [
          { groups: ['a'] },
          { paths: ['/c/**'] },
          { claims: { tier: ['gold', 'red'] }, methods: ['PUT'] },
        ],
      },
    }),
    found: [0, 2, 3].map((i) => `warning routes[0].policies[1].acl.allow[${i}]`),
  },
]);
