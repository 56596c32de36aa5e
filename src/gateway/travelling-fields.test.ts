import assert from 'node:assert/strict';
import { it } from 'node:test';
import { applyEdits } from '../evaluator/index.ts';
import { FieldKind, fieldKind, fieldLines, NO_CONNECTION_OPTIONS } from '../http1/index.ts';
import { HeaderList } from '../lib/header-list.ts';
import { NO_NAMES, travellingFields, travelTable } from './travelling-fields.ts';

const TABLE = travelTable([FieldKind.OTHER, FieldKind.NOT_IN_TRAILERS]);
const FIELDS = ['Server', 's', 'X-A', '1', 'Connection', 'close', 'x-b', '2', 'X-A', '3'];
const ADDED = ['X-Added', 'yes'];

const EDITS: readonly (readonly string[])[] = [
  [],
  ['append', 'X-C', '4'],
  ['line', 'X-C', 'X-C: 4\r\n'],
  ['append', 'x-a', '4', 'line', 'X-C', 'X-C: 5\r\n', 'append', 'Server', 'other'],
  ['line', 'X-C', 'X-C: 5\r\n', 'set', 'x-c', '6'],
  ['line', 'X-C', 'X-C: 5\r\n', 'remove', 'X-C', ''],
  ['set', 'X-A', '4'],
  ['remove', 'x-a', '', 'line', 'X-A', 'X-A: 5\r\n'],
];

it('the fields that go on are those of the message, then what is added, edited in order', () => {
  for (const edits of EDITS) {
    const list = new HeaderList(FIELDS.filter((_, i) => i >> 1 !== 2).concat(ADDED));
    applyEdits(list, edits);
    const source = {
      headers: new HeaderList([...FIELDS]),
      kinds: FIELDS.filter((_, i) => i % 2 === 0).map((name) => fieldKind(name)),
      connection: NO_CONNECTION_OPTIONS,
    };
    for (const owned of [NO_NAMES, new Set(['x-nobody'])])
      assert.equal(travellingFields(source, TABLE, ADDED, edits, owned), fieldLines(list.flat), `${edits}`);
  }
});

it('what only adds keeps a field out neither of its own name nor of its spellings', () => {
  const source = {
    headers: new HeaderList(['x.c', '1', 'X-C', '2']),
    kinds: [FieldKind.OTHER, FieldKind.OTHER],
    connection: NO_CONNECTION_OPTIONS,
  };
  for (const edits of [
    ['append', 'X-C', '3'],
    ['line', 'X-C', 'X-C: 3\r\n'],
  ])
    for (const owned of [NO_NAMES, new Set(['x-nobody'])])
      assert.equal(travellingFields(source, TABLE, [], edits, owned), 'x.c: 1\r\nX-C: 2\r\nX-C: 3\r\n');
  assert.equal(travellingFields(source, TABLE, [], ['set', 'X-C', '3']), 'X-C: 3\r\n');
});
