import { documentWith } from '../../../test/fixtures/config.ts';
import { certificates, checkLint, KEYED, listener, policies, route } from '../../../test/fixtures/lint.ts';

checkLint('unauthenticated-route', [
  { name: 'nothing asks', document: documentWith(), found: ['warning routes[0]'] },
  { name: 'a key', document: policies(), found: [] },
  {
    name: 'only sometimes, only in shadow, and only while it can decide',
    document: documentWith({
      routes: [
        route('when', { path: '/a' }, { policies: [{ 'api-key': {}, when: 'request.method == "POST"' }] }),
        route('shadow', { path: '/b' }, { policies: [{ 'api-key': {}, mode: 'shadow' }] }),
        route('off', { path: '/c' }, { policies: [{ 'api-key': {}, mode: 'off' }] }),
        route('error', { path: '/d' }, { policies: [{ 'api-key': {}, onError: 'continue' }] }),
      ],
    }),
    found: [0, 1, 2, 3].map((i) => `warning routes[${i}]`),
  },
  {
    name: 'it says that it is public',
    document: documentWith({}, { policies: [{ anonymous: { consumer: 'guest' } }] }),
    found: [],
  },
  {
    name: 'one of several ways',
    document: documentWith(
      {},
      { policies: [{ 'any-of': [{ 'api-key': {} }, { anonymous: { consumer: 'guest' } }] }] },
    ),
    found: [],
  },
  {
    name: 'the listener asks, or its handshake; another does not',
    document: documentWith({
      listeners: [
        listener({ policies: KEYED }),
        listener({ tls: { certificates, clientCa: 'file:./ca.crt' } }, 'tls', 8443),
        listener({ tls: { certificates, clientCa: 'file:./ca.crt', clientAuth: 'optional' } }, 'opt', 8444),
      ],
      routes: [
        route('a', { path: '/a' }, { policies: [], listeners: ['public', 'tls'] }),
        route('b', { path: '/b' }, { policies: [] }),
      ],
    }),
    found: ['warning routes[1]'],
  },
  {
    name: 'metadata that everybody is to read, and nothing else behind it',
    document: documentWith({
      routes: ['/.well-known/oauth-protected-resource/orders', '/orders'].map((path, i) =>
        route(
          `m${i}`,
          { path },
          {
            policies: [
              {
                'resource-metadata': {
                  resource: 'https://api.example.com/orders',
                  authorizationServers: ['https://login.example.com'],
                },
              },
            ],
          },
        ),
      ),
    }),
    found: ['warning routes[1]'],
  },
]);
