import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InternalError } from '../errors.ts';
import { HeaderList } from '../lib/header-list.ts';
import { addedLines, applyEdits, checkFields, Journal, numberedField } from './journal.ts';

/** U+010A and U+010D turn into LF and CR when text is written as latin1. */
const BAD_VALUES = ['a\r\nX: y', 'a\n', 'a\r', 'a\0', 'a\x7f', 'a\u010db', 'a\u010ab'];
const BAD_NAMES = ['', 'a b', 'a:', 'a\r\nb', 'a\u010d', 'ä'];
const OF_THE_HOP = [
  ...['Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Upgrade', 'Keep-Alive', 'TE', 'Trailer'],
  ...['content_length', 'Transfer_Encoding', 'Proxy-Connection'],
];

/** One that nobody has looked through. */
const field = (name: string, texts: readonly string[]) => ({ name, texts });

describe('fields that may not stand in a head are refused', () => {
  const calls: [string, (journal: Journal, name: string, value: string) => void][] = [
    ['setRequestHeader', (journal, name, value) => journal.setRequestHeader(name, value)],
    ['setResponseHeader', (journal, name, value) => journal.setResponseHeader(name, value)],
    ['appendResponseHeader', (journal, name, value) => journal.appendResponseHeader(name, value)],
    ['appendResponseField', (journal, name, value) => journal.appendResponseField(field(name, [value]), [])],
    [
      'appendResponseField behind a number',
      (journal, name, value) => journal.appendResponseField(field(name, ['', value]), [1]),
    ],
    ['numberedField', (_, name, value) => numberedField(name, ['a', value, 'b'])],
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

describe('a field with numbers', () => {
  const POLICY = numberedField('RateLimit-Policy', ['"a";q=5']);
  const LIMIT = numberedField('RateLimit', ['"a";r=', ';t=', '']);

  it('is the same field, and the same line, as one that was appended', () => {
    for (const limit of [LIMIT, field(LIMIT.name, LIMIT.texts)]) {
      const journal = new Journal();
      journal.appendResponseField(POLICY, []);
      journal.appendResponseField(limit, [4, 60]);
      const plain = new Journal();
      plain.appendResponseHeader('RateLimit-Policy', '"a";q=5');
      plain.appendResponseHeader('RateLimit', '"a";r=4;t=60');
      assert.deepEqual(
        addedLines(journal.responseEdits),
        'RateLimit-Policy: "a";q=5\r\nRateLimit: "a";r=4;t=60\r\n',
      );
      assert.deepEqual(addedLines(journal.responseEdits), addedLines(plain.responseEdits));
      assert.deepEqual(applied(journal), applied(plain));
      const replayed = new Journal();
      journal.replay(replayed);
      assert.deepEqual(replayed.responseEdits, plain.responseEdits);
    }
  });

  it('can be replaced, removed and taken back like any other', () => {
    const journal = new Journal();
    journal.appendResponseField(POLICY, []);
    const mark = journal.mark();
    journal.appendResponseField(LIMIT, [4, 60]);
    journal.setResponseHeader('ratelimit', 'mine');
    journal.removeResponseHeader('RATELIMIT-POLICY');
    assert.deepEqual(applied(journal), ['A', '1', 'ratelimit', 'mine']);
    assert.equal(addedLines(journal.responseEdits), undefined);
    journal.rewind(mark);
    assert.equal(addedLines(journal.responseEdits), 'RateLimit-Policy: "a";q=5\r\n');
  });

  it('is what it was when it was looked through', () => {
    const texts = ['a', 'b'];
    const numbered = numberedField('X-A', texts);
    texts[1] = 'b\r\nX-B: evil';
    const journal = new Journal();
    journal.appendResponseField(numbered, [1]);
    assert.equal(addedLines(journal.responseEdits), 'X-A: a1b\r\n');
  });

  it('has a number for each place', () => {
    for (const numbers of [[], [1], [1, 2, 3]]) {
      const journal = new Journal();
      assert.throws(() => journal.appendResponseField(LIMIT, numbers), InternalError);
      assert.deepEqual(journal.responseEdits, []);
    }
  });
});

function applied(journal: Journal): readonly string[] {
  const headers = new HeaderList(['A', '1']);
  applyEdits(headers, journal.responseEdits);
  return headers.flat;
}

it('nothing but additions can be told as lines', () => {
  assert.equal(addedLines([]), '');
  assert.equal(addedLines(['append', 'A', '1', 'append', 'a', '2']), 'A: 1\r\na: 2\r\n');
  for (const edit of ['set', 'remove', 'remove-cookie'])
    assert.equal(addedLines(['append', 'A', '1', edit, 'B', '']), undefined, edit);
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
