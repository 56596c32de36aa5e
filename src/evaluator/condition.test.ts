import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type ContextOptions, identity, policyContext } from '../../test/fixtures/policy-context.ts';
import { ConfigError } from '../errors.ts';
import { compileCondition, DECLARATIONS } from './condition.ts';
import { UndecidedError } from './undecided.ts';

const REQUEST: ContextOptions = {
  method: 'POST',
  path: '/orders/7',
  host: 'api.example.com',
  query: 'a=1&name=J%C3%B6rg+K&twice=1&%74wice=1',
  headers: ['X-Kind', 'first', 'x-kind', 'second', 'X-One', '1'],
  params: { id: '7' },
  nowMs: 1_000,
  identity: identity({ groups: ['partners'], scopes: ['orders.read'], claims: { level: 3 } }),
};

describe('refused when compiled', () => {
  for (const source of [
    '',
    'request.nope',
    'request.path',
    'nope',
    '1 +',
    'request.path.matches(request.host)',
    'has(request.nope)',
    'has(request.headrs.authorization)',
    'groups.exists(g, has(route.nope))',
  ]) {
    it(source, () => assert.throws(() => compileCondition(source), ConfigError));
  }
});

describe('undecidable requests throw, without a value of theirs', () => {
  const secret = 'SECRETTOKEN';
  const request = policyContext({
    ...REQUEST,
    query: `token=${secret}&zero=0`,
    headers: ['x-token', secret],
    params: { id: secret },
    identity: identity({ claims: { level: 3, [secret]: secret, list: [secret] } }),
  });
  const sources = [
    'request.headers.absent == "x"',
    'claims.absent',
    'claims.level',
    'route.params.x == "1"',
    'bool(request.query.token)',
    'int(request.headers["x-token"]) == 1',
    'double(request.query.token) > 1.0',
    'timestamp(request.query.token) > timestamp(0)',
    'duration(request.query.token) > duration("1s")',
    'request.headers[request.query.token] == ""',
    'claims[request.query.token] == 1 || claims[request.query.token].x == 1',
    'claims.list[1] == 1',
    'claims.level + 1 == 4',
    'claims.list[0] > 1',
    '1 / int(request.query.zero) == 1',
    'claims[request.query.token]',
    'request.query.token.substring(99) == ""',
  ];
  for (const source of sources) {
    it(source, () => {
      const condition = compileCondition(source);
      assert.throws(
        () => condition(request),
        (error) => {
          assert.ok(error instanceof UndecidedError);
          assert.equal(error.cause, undefined);
          assert.doesNotMatch(`${error.message}${error.stack}`, new RegExp(secret, 'i'));
          return true;
        },
      );
    });
  }

  const twice = 'request.query.twice';
  for (const source of [
    `${twice} == "1"`,
    `${twice} != "2"`,
    `!(${twice} in ["2"])`,
    `${twice} == claims.level`,
    `${twice}.startsWith("1")`,
    `${twice}.matches("1")`,
    `request.query[string("twice")] < "2"`,
    'request.headers["x-kind"] == "first"',
    'request.headers["x-kind"] != "third"',
    'request.headers.all(h, request.headers[h] != "third")',
  ]) {
    it(`${source}, where it was sent more than once`, () => {
      assert.throws(() => compileCondition(source)(policyContext(REQUEST)), {
        name: 'UndecidedError',
        message: /sent more than once$/,
      });
    });
  }

  const kinds: [source: string, words: RegExp][] = [
    ['claims.absent == 1', /a key is not there$/],
    ['bool(request.query.token)', /cannot be converted$/],
    ['claims.level + 1 == 4', /do not go together$/],
    ['claims.level', /could not be decided$/],
  ];
  for (const [source, words] of kinds) {
    it(`${source} says ${words}`, () => {
      assert.throws(() => compileCondition(source)(request), { name: 'UndecidedError', message: words });
    });
  }
});

describe('the names of a condition', () => {
  const { variables, types = {} } = DECLARATIONS;
  const names = Object.entries(variables).flatMap(([name, type]) =>
    Object.hasOwn(types, type) ? Object.keys(types[type].fields).map((field) => `${name}.${field}`) : name,
  );

  it('stand in the docs, each once and no other', () => {
    const docs = readFileSync(new URL('../../docs/conditions.md', import.meta.url), 'utf8');
    assert.deepEqual(
      [...docs.matchAll(/^\| `(\S+)`/gm)].map(([, name]) => name),
      names,
    );
  });

  it('stand in what an editor shows', () => {
    const schema = readFileSync(new URL('../config/schema/attachment.ts', import.meta.url), 'utf8');
    for (const name of names) assert.ok(schema.includes(`\`${name.split('.').at(-1)}\``), name);
  });
});

describe('decides', () => {
  const cases: [source: string, expected: boolean][] = [
    ['has(request.headers.authorization)', false],
    ['has(request.query.a) && has(claims.level) && !has(claims.nope)', true],
    ['request.method == "POST"', true],
    ['request.path.startsWith("/orders/")', true],
    ['request.host == "api.example.com" && request.scheme == "http"', true],
    ['request.query.a == "1" && request.query.name == "Jörg K"', true],
    ['request.headers["x-one"] == "1"', true],
    ['"x-kind" in request.headers && has(request.query.twice)', true],
    ['request.headers["x-kind"] == "first" || request.method == "POST"', true],
    ['"authorization" in request.headers', false],
    ['request.client == "192.0.2.1" && request.id == "req-1"', true],
    ['route.name == "orders" && route.params.id == "7"', true],
    ['consumer == "mobile-app" && "partners" in groups && "orders.read" in scopes', true],
    ['claims.level == 3', true],
    ['claims.level + 1.0 == 4.0 && int(claims.level) + 1 == 4', true],
    ['now == 1000', true],
    ['request.path.matches("^/orders/[0-9]+$")', true],
  ];
  for (const [source, expected] of cases) {
    it(source, () => assert.equal(compileCondition(source)(policyContext(REQUEST)), expected));
  }
  it('strangers have no name, groups, scopes or claims', () => {
    const condition = compileCondition(
      'consumer == "" && groups.size() + scopes.size() + claims.size() == 0',
    );
    assert.equal(condition(policyContext()), true);
  });
});
