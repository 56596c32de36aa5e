import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ContextOptions, identity, policyContext } from '../../test/fixtures/policy-context.ts';
import { ConfigError } from '../errors.ts';
import { compileCondition } from './condition.ts';

const REQUEST: ContextOptions = {
  method: 'POST',
  path: '/orders/7',
  host: 'api.example.com',
  query: 'a=1&a=2&name=J%C3%B6rg+K',
  headers: ['X-Kind', 'first', 'x-kind', 'second'],
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
  ]) {
    it(source, () => assert.throws(() => compileCondition(source), ConfigError));
  }
});

describe('undecidable requests throw', () => {
  const sources = ['request.headers.absent == "x"', 'claims.absent', 'claims.level', 'route.params.x == "1"'];
  for (const source of sources) {
    it(source, () => assert.throws(() => compileCondition(source)(policyContext(REQUEST))));
  }
});

describe('decides', () => {
  const cases: [source: string, expected: boolean][] = [
    ['request.method == "POST"', true],
    ['request.path.startsWith("/orders/")', true],
    ['request.host == "api.example.com" && request.scheme == "http"', true],
    ['request.query.a == "1" && request.query.name == "Jörg K"', true],
    ['request.headers["x-kind"] == "first"', true],
    ['"authorization" in request.headers', false],
    ['request.client == "192.0.2.1" && request.id == "req-1"', true],
    ['route.name == "orders" && route.params.id == "7"', true],
    ['consumer == "mobile-app" && "partners" in groups && "orders.read" in scopes', true],
    ['claims.level == 3', true],
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
