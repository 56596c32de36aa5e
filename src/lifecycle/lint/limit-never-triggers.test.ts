import { documentWith } from '../../../test/fixtures/config.ts';
import { checkLint, KEYED, listener, policies } from '../../../test/fixtures/lint.ts';

checkLint('limit-never-triggers', [
  {
    name: 'a tighter limit of the same callers stands before it',
    document: policies(
      { 'rate-limit': { limit: 10, window: '1m', by: 'consumer' } },
      { 'rate-limit': { limit: 20, window: '1m', by: 'consumer' } },
      { 'rate-limit': { limit: 20, window: '1m', by: 'credential' } },
      { 'rate-limit': { limit: 20, window: '1m', by: 'address' } },
      {
        'rate-limit': {
          limit: 20,
          window: '1m',
          by: 'consumer',
          cost: { expression: 'int(request.headers["x-n"])', max: 9 },
        },
      },
      { quota: { limit: 1_000_000, per: 'month' } },
      { quota: { limit: 400_000, per: 'month' } },
    ),
    found: [
      'warning routes[0].policies[2].rate-limit.limit',
      'warning routes[0].policies[3].rate-limit.limit',
      'warning routes[0].policies[6].quota.limit',
    ],
  },
  {
    name: 'behind it, in shadow, with a condition, or one that gives back: it does refuse',
    document: policies(
      { 'rate-limit': { limit: 20, window: '1m', by: 'consumer' } },
      { 'rate-limit': { limit: 10, window: '1m', by: 'consumer', count: { status: [401] } } },
      { 'rate-limit': { limit: 5, window: '1m', by: 'consumer' }, mode: 'shadow' },
      { 'rate-limit': { limit: 5, window: '1m', by: 'consumer' }, when: 'request.method == "PUT"' },
      { 'rate-limit': { limit: 15, window: '1m', by: 'consumer' } },
    ),
    found: [],
  },
  {
    name: 'limits of one policy',
    document: policies({
      'rate-limit': {
        limits: [
          { limit: 10, window: '1s', burst: 40 },
          { limit: 20, window: '1m', algorithm: 'fixed-window' },
          { limit: 2000, window: '1h', algorithm: 'fixed-window' },
          { limit: 100, window: '1d', algorithm: 'sliding-window' },
        ],
      },
    }),
    found: [
      'warning routes[0].policies[1].rate-limit.limits[0].limit',
      'warning routes[0].policies[1].rate-limit.limits[2].limit',
    ],
  },
  {
    name: 'the limit of all counts before that of one',
    document: documentWith(
      {
        listeners: [
          listener({ policies: [{ 'rate-limit': { limit: 100, window: '1s', by: 'route' } }] }),
          listener({ policies: [{ 'rate-limit': { limit: 50, window: '1s', by: 'route' } }] }, 'b', 8081),
          listener({}, 'c', 8082),
        ],
      },
      {
        listeners: ['public', 'b'],
        policies: [...KEYED, { 'rate-limit': { limit: 200, window: '1s', by: 'consumer' } }],
      },
    ),
    found: ['warning routes[0].policies[1].rate-limit.limit'],
  },
  {
    name: 'another listener has none',
    document: documentWith(
      {
        listeners: [
          listener({ policies: [{ 'rate-limit': { limit: 100, window: '1s', by: 'route' } }] }),
          listener({}, 'c', 8082),
        ],
      },
      { policies: [...KEYED, { 'rate-limit': { limit: 200, window: '1s', by: 'consumer' } }] },
    ),
    found: [],
  },
  {
    name: 'off',
    document: policies({ 'rate-limit': { limit: 1, window: '1m' }, mode: 'off' }),
    found: ['note routes[0].policies[1].mode'],
  },
  {
    name: 'connections',
    document: documentWith({
      listeners: [
        listener({ limits: { connections: 500 } }),
        listener({ limits: { connectionsPerAddress: 20_000 } }, 'b', 8081),
        listener({ limits: { newConnections: 10, newConnectionsPerAddress: 10 } }, 'c', 8082),
        listener({ limits: { connections: 2000, connectionsPerAddress: 500 } }, 'd', 8083),
      ],
    }),
    found: [
      'warning listeners[0].limits.connections',
      'warning listeners[1].limits.connectionsPerAddress',
      'warning listeners[2].limits.newConnectionsPerAddress',
    ],
  },
]);
