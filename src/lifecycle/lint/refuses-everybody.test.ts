import { documentWith } from '../../../test/fixtures/config.ts';
import { checkLint, KEYED, listener, policies, route } from '../../../test/fixtures/lint.ts';

checkLint('refuses-everybody', [
  {
    name: 'every address',
    document: documentWith({
      listeners: [listener({ policies: [{ 'ip-list': { deny: ['0.0.0.0/0', '::/0'] } }, ...KEYED] })],
    }),
    found: ['warning listeners[0].policies[0].ip-list'],
  },
  {
    name: 'all of one family only, and only in shadow',
    document: policies(
      { 'ip-list': { deny: ['0.0.0.0/0'] } },
      { 'ip-list': { deny: ['0.0.0.0/0', '::/0'] }, mode: 'shadow' },
    ),
    found: [],
  },
  {
    name: 'nothing is left of what is allowed',
    document: policies({ 'ip-list': { deny: ['10.0.0.0/8'], allow: ['10.0.0.1', '10.0.0.2'] } }),
    found: ['warning routes[0].policies[1].ip-list'],
  },
  {
    name: 'all that was allowed has expired',
    document: policies({ 'ip-list': { allow: [{ network: '10.0.0.1', expires: '2026-11-30' }] } }),
    found: ['warning routes[0].policies[1].ip-list'],
  },
  {
    name: 'two lists have nothing in common',
    document: policies({ 'ip-list': { allow: ['10.0.0.0/8'] } }, { 'ip-list': { allow: ['192.0.2.0/24'] } }),
    found: ['warning routes[0].policies[2].ip-list'],
  },
  {
    name: 'a denial of everything, and allowances that are all denied',
    document: documentWith({
      groups: ['a', 'b'],
      routes: [
        route('a', { path: '/a' }, { policies: [{ acl: { allow: 'everyone', deny: { paths: ['/**'] } } }] }),
        route(
          'b',
          { path: '/b' },
          {
            policies: [...KEYED, { acl: { allow: { groups: ['a'] }, deny: { groups: ['a', 'b'] } } }],
          },
        ),
        route(
          'c',
          { path: '/c' },
          {
            policies: [
              ...KEYED,
              { acl: { allow: [{ groups: ['a'] }, { groups: ['b'] }], deny: { groups: ['a'] } } },
            ],
          },
        ),
      ],
    }),
    found: ['warning routes[0].policies[0].acl', 'warning routes[1].policies[1].acl'],
  },
]);
