import { documentWith } from '../../../test/fixtures/config.ts';
import { checkLint, listener, route } from '../../../test/fixtures/lint.ts';

checkLint('unreachable-route', [
  {
    name: 'a longer path, its slash and what is below take all of a route',
    document: documentWith({
      routes: [
        route('wide', { path: '/a/**' }),
        route('itself', { path: '/a' }),
        route('slash', { path: '/a/' }),
        route('below', { path: '/a/*/**' }),
      ],
    }),
    found: ['warning routes[0]'],
  },
  {
    name: 'one step is left',
    document: documentWith({
      routes: [
        route('wide', { path: '/a/**' }),
        route('itself', { path: '/a' }),
        route('below', { path: '/a/*/**' }),
      ],
    }),
    found: [],
  },
  {
    name: 'routes that take some methods, and some headers, leave the rest',
    document: documentWith({
      routes: [
        route('all', { path: '/a' }),
        route('named', { path: '/a', methods: ['GET', 'POST'] }),
        route('headed', { path: '/a', headers: { 'x-v': '2' } }),
      ],
    }),
    found: [],
  },
  {
    name: 'a host of its own leaves other hosts',
    document: documentWith({
      routes: [
        route('any', { path: '/**' }),
        route('wild', { path: '/**', hosts: ['*.example.com'] }),
        route('exact', { path: '/**', hosts: ['a.example.com', '[0:0::1]'] }),
      ],
    }),
    found: ['warning routes[2].match.hosts[1]'],
  },
  {
    name: 'what every listener of it refuses',
    document: documentWith({
      listeners: [listener({}), listener({ encodedSlashes: 'keep' }, 'kept', 8081)],
      routes: [
        route('kept', { path: '/a%2Fb' }),
        route('refused', { path: '/c%2Fd' }, { listeners: ['public'] }),
        route('override', { path: '/e', headers: { 'x-http-method-override': 'PUT' } }),
        route('unknown', { path: '/f', methods: ['BREW', 'GET'] }),
        route('traced', { path: '/g', methods: ['TRACE'] }),
      ],
    }),
    found: [
      'warning routes[1]',
      'warning routes[2]',
      'warning routes[3].match.methods[0]',
      'warning routes[4]',
    ],
  },
  {
    name: 'a text that is said nowhere stands for any, whatever a document names',
    document: documentWith({
      routes: [route('one', { path: '/any/{id}' }), route('anyx', { path: '/**', hosts: ['*.any'] })],
    }),
    found: [],
  },
]);
