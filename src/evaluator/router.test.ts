import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RouteMatch } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { makePipeline } from './attachment.ts';
import { buildRouter, type RouteEntry } from './router.ts';

type Brief = Partial<Omit<RouteEntry, 'route'>>;

const PIPELINE = makePipeline([]);

function entry(name: string, { hosts = [], paths = ['/**'], methods = [], headers = {} }: Brief): RouteEntry {
  const route = {
    name,
    index: 0,
    pipeline: PIPELINE,
    upstream: 'u',
    priority: 'normal' as const,
    maxBodyBytes: undefined,
    upgrade: false,
  };
  return { route, hosts, paths, methods, headers };
}

const router = (routes: Readonly<Record<string, Brief>>) =>
  buildRouter(Object.entries(routes).map(([name, brief]) => entry(name, brief)));

function told(match: RouteMatch): string {
  if (match.kind === 'found')
    return [match.route.name, ...Object.entries(match.params).map((p) => p.join('='))].join(' ');
  return match.kind === 'none' ? 'none' : `allow ${match.allow.join(',')}`;
}

interface Asked {
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function ask(
  from: ReturnType<typeof router>,
  { host = 'x', path = '/', method = 'GET', headers = {} }: Asked,
): string {
  return told(from.match(host, path, method, { get: (name) => headers[name] }));
}

function table(routes: Readonly<Record<string, Brief>>, cases: readonly (readonly [Asked, string])[]): void {
  const built = router(routes);
  for (const [asked, answer] of cases)
    it(`${JSON.stringify(asked)} → ${answer}`, () => assert.equal(ask(built, asked), answer));
}

describe('paths', () => {
  table(
    {
      literal: { paths: ['/a/b'] },
      name: { paths: ['/a/{id}'] },
      rest: { paths: ['/a/**'] },
      deep: { paths: ['/a/{id}/c'] },
      star: { paths: ['/s/*/t'] },
      root: { paths: ['/'] },
    },
    [
      [{ path: '/a/b' }, 'literal'],
      [{ path: '/a/x' }, 'name id=x'],
      [{ path: '/a/b/c' }, 'deep id=b'],
      [{ path: '/a/b/d' }, 'rest'],
      [{ path: '/a' }, 'rest'],
      [{ path: '/a/' }, 'rest'],
      [{ path: '/a/b/' }, 'rest'],
      [{ path: '/ab' }, 'none'],
      [{ path: '*', method: 'OPTIONS' }, 'none'],
      [{ path: '/A/b' }, 'none'],
      [{ path: '/s/x/t' }, 'star'],
      [{ path: '/s//t' }, 'none'],
      [{ path: '/' }, 'root'],
      [{ path: '/a/J%C3%B6rg%20%2F' }, 'name id=Jörg /'],
      [{ path: '/a/%E9' }, 'name id=%E9'],
      [{ path: '/a/__proto__' }, 'name id=__proto__'],
    ],
  );
  it('a parameter called __proto__ is a parameter', () => {
    const match = router({ r: { paths: ['/{__proto__}'] } }).match('x', '/v', 'GET', {
      get: () => undefined,
    });
    assert.ok(match.kind === 'found');
    assert.deepEqual(Object.entries(match.params), [['__proto__', 'v']]);
  });
});

describe('hosts', () => {
  table(
    {
      exact: { hosts: ['api.example.com'], paths: ['/p/**'] },
      long: { hosts: ['*.api.example.com'] },
      short: { hosts: ['*.example.com'] },
      any: {},
    },
    [
      [{ host: 'api.example.com', path: '/p' }, 'exact'],
      [{ host: 'api.example.com', path: '/q' }, 'short'],
      [{ host: 'a.api.example.com' }, 'long'],
      [{ host: 'a.b.api.example.com' }, 'long'],
      [{ host: 'www.example.com' }, 'short'],
      [{ host: 'example.com' }, 'any'],
      [{ host: 'badexample.com' }, 'any'],
      [{ host: 'api.example.com.evil.test' }, 'any'],
      [{ host: '[::1]' }, 'any'],
      [{ host: 'x', path: '*', method: 'OPTIONS' }, 'none'],
    ],
  );
});

describe('methods', () => {
  table(
    {
      read: { paths: ['/a'], methods: ['GET'] },
      write: { paths: ['/a'], methods: ['PUT', 'DELETE'] },
      all: { paths: ['/b'] },
      create: { paths: ['/b'], methods: ['POST'] },
      lower: { paths: ['/c/d'], methods: ['GET'] },
      fallback: { paths: ['/c/**'], methods: ['POST'] },
      elsewhere: { paths: ['/a'], methods: ['PATCH'], hosts: ['h'] },
    },
    [
      [{ path: '/a' }, 'read'],
      [{ path: '/a', method: 'HEAD' }, 'read'],
      [{ path: '/a', method: 'DELETE' }, 'write'],
      [{ path: '/a', method: 'POST' }, 'allow DELETE,GET,HEAD,PUT'],
      [{ path: '/a', method: 'POST', host: 'h' }, 'allow DELETE,GET,HEAD,PATCH,PUT'],
      [{ path: '/a', method: 'get' }, 'allow DELETE,GET,HEAD,PUT'],
      [{ path: '/b', method: 'POST' }, 'create'],
      [{ path: '/b', method: 'PUT' }, 'all'],
      [{ path: '/c/d', method: 'POST' }, 'fallback'],
      [{ path: '/c/d', method: 'PUT' }, 'allow GET,HEAD,POST'],
      [{ path: '/z', method: 'PUT' }, 'none'],
    ],
  );
});

describe('headers', () => {
  table(
    {
      two: { headers: { 'x-a': '1', 'x-b': '2' } },
      one: { headers: { 'x-a': '1' } },
      other: { headers: { 'x-a': '2' } },
      plain: {},
    },
    [
      [{ headers: { 'x-a': '1', 'x-b': '2' } }, 'two'],
      [{ headers: { 'x-a': '1', 'x-b': '3' } }, 'one'],
      [{ headers: { 'x-a': '2' } }, 'other'],
      [{ headers: { 'x-a': '3' } }, 'plain'],
      [{}, 'plain'],
    ],
  );
});

describe('refused when built', () => {
  const cases: [name: string, routes: Readonly<Record<string, Brief>>][] = [
    ['the same', { a: {}, b: {} }],
    ['names of parameters do not tell apart', { a: { paths: ['/{x}'] }, b: { paths: ['/{y}'] } }],
    ['a star is a parameter', { a: { paths: ['/{x}'] }, b: { paths: ['/*'] } }],
    ['one shared method', { a: { methods: ['GET', 'PUT'] }, b: { methods: ['PUT'] } }],
    ['GET takes HEAD', { a: { methods: ['GET'] }, b: { methods: ['HEAD'] } }],
    [
      'different headers that both may hold',
      { a: { headers: { 'x-a': '1' } }, b: { headers: { 'x-b': '1' } } },
    ],
    ['one shared host', { a: { hosts: ['h', 'i'] }, b: { hosts: ['i'] } }],
    ['a pattern without a slash', { a: { paths: ['a'] } }],
    ['a rest in the middle', { a: { paths: ['/**/a'] } }],
    ['half a parameter', { a: { paths: ['/{a'] } }],
    ['text around a parameter', { a: { paths: ['/x{a}'] } }],
    ['a parameter twice', { a: { paths: ['/{a}/{a}'] } }],
  ];
  for (const [name, routes] of cases) it(name, () => assert.throws(() => router(routes), ConfigError));
  it('neighbours are taken', () => {
    router({
      a: { hosts: ['h'] },
      b: { hosts: ['*.h'] },
      c: {},
      d: { paths: ['/a'] },
      e: { methods: ['GET'] },
    });
    router({ a: { paths: ['/x', '/x'] } });
  });
});

it('10,000 routes: each is found, and nothing else', () => {
  const routes: Record<string, Brief> = {};
  for (let i = 0; i < 10_000; i++)
    routes[`r${i}`] = { paths: [`/v1/s${i}/{id}`], hosts: [`h${i % 100}.example`] };
  const built = router(routes);
  for (let i = 0; i < 10_000; i += 7) {
    const asked = { host: `h${i % 100}.example`, path: `/v1/s${i}/7` };
    assert.equal(ask(built, asked), `r${i} id=7`);
    assert.equal(ask(built, { ...asked, host: `h${(i + 1) % 100}.example` }), 'none');
  }
});
