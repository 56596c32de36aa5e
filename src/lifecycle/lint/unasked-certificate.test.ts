import { documentWith } from '../../../test/fixtures/config.ts';
import { certificates, checkLint, KEYED, listener, route } from '../../../test/fixtures/lint.ts';

checkLint('unasked-certificate', [
  {
    name: 'no listener asks, also inside others',
    document: documentWith({
      listeners: [listener({ tls: { certificates } })],
      routes: [
        route('a', { path: '/a' }, { policies: [{ mtls: {} }] }),
        route(
          'b',
          { path: '/b' },
          { policies: [{ 'all-of': { members: [{ 'api-key': {} }, { mtls: {} }] } }] },
        ),
        route('c', { path: '/c' }, { policies: KEYED }),
      ],
    }),
    found: ['note routes[0].policies', 'note routes[1].policies'],
  },
  {
    name: 'one of several asks; the only one of a route does not',
    document: documentWith({
      listeners: [listener({}), listener({ tls: { certificates, clientCa: 'file:./ca.crt' } }, 'tls', 8443)],
      routes: [
        route('a', { path: '/a' }, { policies: [{ mtls: {} }] }),
        route('b', { path: '/b' }, { policies: [{ mtls: {} }], listeners: ['public'] }),
      ],
    }),
    found: ['note routes[1].policies'],
  },
  {
    name: 'a listener of its own',
    document: documentWith({ listeners: [listener({ policies: [{ 'any-of': [{ mtls: {} }] }] })] }),
    found: ['note listeners[0].policies'],
  },
]);
