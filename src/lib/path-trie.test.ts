import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PathTrie, parsePathPattern } from './path-trie.ts';

function trie(...patterns: string[]): PathTrie<string> {
  const built = new PathTrie<string>();
  for (const text of patterns) {
    const pattern = parsePathPattern(text);
    assert.ok(typeof pattern !== 'string', String(pattern));
    built.update(pattern, () => text);
  }
  return built;
}

/** Every value offered, in order, and the segments when the `n`th is taken. */
function offered(from: PathTrie<string>, path: string): string[] {
  const values: string[] = [];
  assert.equal(
    from.find(path, (value) => values.push(value) === 0),
    undefined,
  );
  return values;
}

describe('patterns that are none', () => {
  for (const text of [
    '',
    'a',
    '**',
    '/**/a',
    '/a**',
    '/a*',
    '/{',
    '/{}',
    '/{1a}',
    '/{a-b}',
    '/{a}b',
    '/{a}/{a}',
  ]) {
    it(JSON.stringify(text), () => assert.equal(typeof parsePathPattern(text), 'string'));
  }
});

describe('offered from the most to the least specific', () => {
  const all = trie('/**', '/a/**', '/a/{x}', '/a/b', '/a/b/**', '/a/{x}/c', '/', '/a/b/');
  const cases: [path: string, values: string[]][] = [
    ['/', ['/', '/**']],
    ['/a', ['/a/**', '/**']],
    ['/a/b', ['/a/b', '/a/b/**', '/a/{x}', '/a/**', '/**']],
    ['/a/b/', ['/a/b/', '/a/b/**', '/a/**', '/**']],
    ['/a/b/c', ['/a/b/**', '/a/{x}/c', '/a/**', '/**']],
    ['/a/', ['/a/**', '/**']],
    ['/z', ['/**']],
  ];
  for (const [path, values] of cases) it(path, () => assert.deepEqual(offered(all, path), values));
  it('a rest includes nothing', () => assert.deepEqual(offered(trie('/a/**'), '/a'), ['/a/**']));
  it('a name is never empty', () => assert.deepEqual(offered(trie('/{x}', '/a/{x}'), '/a/'), []));
  it('names of objects are names', () => assert.deepEqual(offered(trie('/constructor'), '/__proto__'), []));
});

it('the segments are those of the pattern that was taken', () => {
  const built = trie('/{a}/{b}', '/{a}/**', '/x/{b}');
  assert.deepEqual(
    built.find('/x/y', (v) => v === '/{a}/**'),
    ['x'],
  );
  assert.deepEqual(
    built.find('/x/y', (v) => v === '/{a}/{b}'),
    ['x', 'y'],
  );
  assert.deepEqual(
    built.find('/x/y', () => true),
    ['y'],
  );
});

it('patterns that differ in names only share a value', () => {
  const built = new PathTrie<string>();
  const [one, other] = [parsePathPattern('/{a}/*'), parsePathPattern('/{b}/{c}')];
  assert.ok(typeof one !== 'string' && typeof other !== 'string');
  built.update(one, (before) => `${before} one`);
  built.update(other, (before) => `${before} other`);
  assert.deepEqual(offered(built, '/x/y'), ['undefined one other']);
});

it('a hostile path visits no more values than there are', () => {
  const names = ['/{a}', '/{b}', '/{c}', '/{d}', '/{e}'];
  const patterns = names.map((_, i) => `${names.slice(0, i).join('')}/**`);
  assert.ok(offered(trie(...patterns), '/a'.repeat(2000)).length <= patterns.length);
});
