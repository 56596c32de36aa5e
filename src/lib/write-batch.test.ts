import assert from 'node:assert/strict';
import { it } from 'node:test';
import { WriteBatch } from './write-batch.ts';

class Noted {
  readonly #name: string;
  readonly #notes: string[];

  constructor(name: string, notes: string[]) {
    this.#name = name;
    this.#notes = notes;
  }

  flushFromBatch(): void {
    this.#notes.push(this.#name);
  }
}

const turnEnd = () => new Promise((resolve) => setImmediate(resolve));

it('writers write at the end of the turn, in the order they came', async () => {
  const notes: string[] = [];
  const batch = new WriteBatch();
  for (const name of ['a', 'b', 'c']) batch.add(new Noted(name, notes));
  assert.deepEqual(notes, []);
  await turnEnd();
  assert.deepEqual(notes, ['a', 'b', 'c']);
  await turnEnd();
  assert.equal(notes.length, 3);
});

it('a long turn does not keep the first waiting', async () => {
  const notes: string[] = [];
  const batch = new WriteBatch();
  for (let i = 0; i < 70; i++) batch.add(new Noted(`${i}`, notes));
  assert.equal(notes.length, 64);
  await turnEnd();
  assert.equal(notes.length, 70);
});

it('a writer that comes while others write is not lost', async () => {
  const notes: string[] = [];
  const batch = new WriteBatch();
  batch.add({ flushFromBatch: () => batch.add(new Noted('late', notes)) });
  await turnEnd();
  await turnEnd();
  assert.deepEqual(notes, ['late']);
});
