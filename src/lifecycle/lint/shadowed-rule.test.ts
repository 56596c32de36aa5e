import { documentWith } from '../../../test/fixtures/config.ts';
import { checkLint, KEYED, listener, policies, route } from '../../../test/fixtures/lint.ts';

checkLint('shadowed-rule', [
  {
    name: 'networks',
    document: documentWith({
      listeners: [listener({ policies: [{ 'ip-list': { deny: ['198.51.100.0/24'] } }] })],
      routes: [
        route(
          'a',
          { path: '/**' },
          {
            policies: [
              ...KEYED,
              {
                'ip-list': {
                  deny: ['10.0.0.0/8', '10.0.0.0/8', '10.1.1.1', '198.51.100.9', '2001:db8::/32'],
                  allow: ['10.0.0.0/7', '198.51.0.0/16', '198.51.100.0/24'],
                },
              },
            ],
          },
        ),
      ],
    }),
    found: [
      'note routes[0].policies[1].ip-list.deny[1]',
      'note routes[0].policies[1].ip-list.deny[2]',
      'warning routes[0].policies[1].ip-list.deny[3]',
      'note routes[0].policies[1].ip-list.deny[4]',
      'note routes[0].policies[1].ip-list.allow[2]',
    ],
  },
  {
    name: 'blocks: a narrower one, a twin, another method, another path',
    document: documentWith(
      { groups: ['a', 'b'] },
      {
        match: { path: '/orders/**', methods: ['GET', 'PUT'] },
        policies: [
          ...KEYED,
          {
            acl: {
              allow: [
                { groups: ['a'], methods: ['HEAD'] },
                { groups: ['a'] },
                { groups: ['a'] },
                { groups: ['b'], methods: ['POST'] },
                { groups: ['b'], paths: ['/invoices/*'] },
                { groups: ['b'], paths: ['/*/1'] },
              ],
            },
          },
        ],
      },
    ),
    found: [
      'warning routes[0].policies[1].acl.allow[0]',
      'warning routes[0].policies[1].acl.allow[2]',
      'warning routes[0].policies[1].acl.allow[3].methods',
      'warning routes[0].policies[1].acl.allow[4].paths',
    ],
  },
  {
    name: 'an acl before it refuses already',
    document: policies(
      { acl: { allow: 'everyone', deny: { groups: ['a', 'b'] } } },
      { acl: { allow: 'everyone', deny: [{ groups: ['b'], methods: ['PUT'] }, { groups: ['c'] }] } },
    ),
    found: ['warning routes[0].policies[2].acl.deny[0]'],
  },
]);
