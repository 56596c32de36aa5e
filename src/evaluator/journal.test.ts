import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeaderList } from '../lib/header-list.ts';
import { applyEdits, checkFields, Journal } from './journal.ts';

/** U+010A and U+010D turn into LF and CR when text is written as latin1. */
const BAD_VALUES = ['a\r\nX: y', 'a\n', 'a\r', 'a\0', 'a\x7f', 'a\u010db', 'a\u010ab'];
const BAD_NAMES = ['', 'a b', 'a:', 'a\r\nb', 'a\u010d', 'ä'];
const OF_THE_HOP = [
  ...['Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Upgrade', 'Keep-Alive', 'TE', 'Trailer'],
  ...['content_length', 'Transfer_Encoding', 'Proxy-Connection'],
];

describe('fields that may not stand in a head are refused', () => {
  const calls: [string, (journal: Journal, name: string, value: string) => void][] = [
    ['setRequestHeader', (journal, name, value) => journal.setRequestHeader(name, value)],
    ['setResponseHeader', (journal, name, value) => journal.setResponseHeader(name, value)],
    ['appendResponseHeader', (journal, name, value) => journal.appendResponseHeader(name, value)],
    ['checkFields', (_, name, value) => checkFields([name, value])],
  ];
  for (const [call, run] of calls) {
    it(call, () => {
      const journal = new Journal();
      for (const value of BAD_VALUES) assert.throws(() => run(journal, 'X-A', value), TypeError, value);
      for (const name of [...BAD_NAMES, ...OF_THE_HOP])
        assert.throws(() => run(journal, name, 'v'), TypeError, name);
      assert.deepEqual([...journal.requestEdits, ...journal.responseEdits], []);
      run(journal, 'X-A', 'v \t\xe9');
    });
  }
  it('a name without a value', () => assert.throws(() => checkFields(['X-A']), TypeError));
});

it('a rewind takes back what came after the mark, in both directions', () => {
  const journal = new Journal();
  const empty = journal.mark();
  journal.setRequestHeader('A', '1');
  journal.appendResponseHeader('B', '2');
  journal.removeQueryParameter('p');
  const mark = journal.mark();
  journal.removeRequestHeader('C');
  journal.setResponseHeader('D', '4');
  journal.removeResponseHeader('E');
  journal.removeRequestCookie('f');
  journal.removeQueryParameter('q');
  journal.rewind(mark);
  assert.deepEqual(journal.requestEdits, ['set', 'A', '1']);
  assert.deepEqual(journal.responseEdits, ['append', 'B', '2']);
  assert.deepEqual(journal.removedParameters, ['p']);
  journal.rewind(empty);
  assert.deepEqual([...journal.requestEdits, ...journal.responseEdits, ...journal.removedParameters], []);
});

it('a cookie is taken out of every field, and of nothing else', () => {
  const fields = ['Cookie', 'key=1; a=2', 'cookie', 'key=3', 'X-Cookie', 'key=4', 'COOKIE', ''];
  const headers = new HeaderList([...fields]);
  const journal = new Journal();
  journal.removeRequestCookie('key');
  applyEdits(headers, journal.requestEdits);
  assert.deepEqual(headers.flat, ['Cookie', 'a=2', 'X-Cookie', 'key=4', 'COOKIE', '']);
  const untouched = new HeaderList([...fields]);
  applyEdits(untouched, ['remove-cookie', 'cookie', 'other']);
  assert.deepEqual(untouched.flat, fields);
});

it('edits are applied in the order asked', () => {
  const headers = new HeaderList(['A', '1', 'b', '2', 'a', '3']);
  applyEdits(headers, [
    'remove',
    'B',
    '',
    'set',
    'A',
    '4',
    'append',
    'A',
    '5',
    'set',
    'C',
    '6',
    'remove',
    'C',
    '',
  ]);
  assert.deepEqual(headers.flat, ['A', '4', 'A', '5']);
});
