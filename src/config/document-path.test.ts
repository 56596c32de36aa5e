import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type DocumentPath, formatPath, joinPath, parsePath } from './document-path.ts';

describe('document path', () => {
  const cases: readonly [path: DocumentPath, text: string][] = [
    [[], ''],
    [['routes', 0, 'policies', 1, 'rate-limit', 'limit'], 'routes[0].policies[1].rate-limit.limit'],
    [['upstreams', 'a.b', 'targets', 0], 'upstreams["a.b"].targets[0]'],
    [['headers', 'x"y]'], 'headers["x\\"y]"]'],
    [['$schema'], '$schema'],
    [['a', ''], 'a[""]'],
  ];
  for (const [path, text] of cases) {
    it(`writes and reads ${text || 'the top'}`, () => {
      assert.equal(formatPath(path), text);
      assert.deepEqual(parsePath(text), path);
    });
  }

  it('reads back whatever it writes', () => {
    const steps = fc.array(fc.oneof(fc.string(), fc.nat()), { maxLength: 6 });
    fc.assert(fc.property(steps, (path) => assert.deepEqual(parsePath(formatPath(path)), path)));
  });

  it('stops where it understands no more', () => assert.deepEqual(parsePath('a[b].c'), ['a']));

  it('puts a relative path under a place', () => {
    assert.equal(joinPath(['routes', 0], ''), 'routes[0]');
    assert.equal(joinPath(['routes', 0], 'limit'), 'routes[0].limit');
    assert.equal(joinPath(['routes', 0], '[2].x'), 'routes[0][2].x');
    assert.equal(joinPath([], 'limit'), 'limit');
  });
});
