import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { differsInMarks, HeaderList, REPEATED, sameName } from './header-list.ts';

const list = (): HeaderList => new HeaderList(['A', '1', 'b', '2', 'a', '3', 'C', '']);

it('look-ups know no case', () => {
  const headers = list();
  assert.deepEqual(
    [headers.get('a'), headers.get('B'.toLowerCase()), headers.get('c'), headers.get('d')],
    ['1', '2', '', undefined],
  );
  assert.deepEqual([headers.getAll('a'), headers.getAll('d')], [['1', '3'], []]);
  assert.deepEqual([headers.count('a'), headers.count('c'), headers.count('d')], [2, 1, 0]);
  assert.deepEqual([headers.sole('a'), headers.sole('b'), headers.sole('d')], [REPEATED, '2', undefined]);
  assert.deepEqual([headers.has('c'), headers.has('d'), headers.size], [true, false, 4]);
});

describe('set', () => {
  const cases: [name: string, flat: string[]][] = [
    ['a', ['a', 'x', 'b', '2', 'C', '']],
    ['B', ['A', '1', 'B', 'x', 'a', '3', 'C', '']],
    ['D', ['A', '1', 'b', '2', 'a', '3', 'C', '', 'D', 'x']],
  ];
  for (const [name, flat] of cases) {
    it(name, () => {
      const headers = list();
      headers.set(name, 'x');
      assert.deepEqual(headers.flat, flat);
    });
  }
});

it('delete takes every one, and says whether there was one', () => {
  const headers = list();
  assert.deepEqual(
    [headers.delete('A'), headers.delete('A'), headers.flat],
    [true, false, ['b', '2', 'C', '']],
  );
});

it('a clone is its own', () => {
  const headers = list();
  const clone = headers.clone();
  clone.append('D', '4');
  assert.deepEqual([headers.size, [...clone].at(-1)], [4, ['D', '4']]);
});

it('values are never taken for names', () => {
  assert.equal(new HeaderList(['x', 'host', 'y', 'z']).get('host'), undefined);
});

it('names that only some case folding makes equal are not', () => {
  assert.equal(sameName('\u212aey', 'key'), false);
  assert.equal(sameName('hos', 'host'), false);
});

describe('differsInMarks', () => {
  const cases: [one: string, other: string, differs: boolean][] = [
    ['x-user', 'X-User', false],
    ['x-user', 'x.user', true],
    ['X_USER', 'x-user', true],
    ['x-a-b', 'x-a~b', true],
    ['x-user', 'x-users', false],
    ['x-user', 'xauser', false],
    ['x.user', 'x.usex', false],
    ['xauser', 'xbuser', false],
    ['', '', false],
  ];
  for (const [one, other, differs] of cases)
    it(`${one} and ${other}`, () => {
      assert.equal(differsInMarks(one, other), differs);
      assert.equal(differsInMarks(other, one), differs);
    });
});
