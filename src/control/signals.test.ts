import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { it } from 'node:test';
import { obeySignals } from './signals.ts';

const cases: { name: string; signals: [string, number][]; done: (string | number)[] }[] = [
  { name: 'the first ends', signals: [['SIGTERM', 0]], done: ['end'] },
  {
    name: 'one wish may come twice',
    signals: [
      ['SIGINT', 0],
      ['SIGINT', 100],
    ],
    done: ['end'],
  },
  {
    name: 'a second ends at once',
    signals: [
      ['SIGINT', 0],
      ['SIGINT', 600],
    ],
    done: ['end', 130],
  },
  {
    name: 'whichever it is',
    signals: [
      ['SIGINT', 0],
      ['SIGTERM', 900],
    ],
    done: ['end', 143],
  },
  {
    name: 'SIGHUP reloads, each time',
    signals: [
      ['SIGHUP', 0],
      ['SIGHUP', 1],
    ],
    done: ['reload', 'reload'],
  },
];
for (const { name, signals, done } of cases) {
  it(`signals: ${name}`, () => {
    const source = new EventEmitter();
    const seen: (string | number)[] = [];
    let nowMs = 0;
    obeySignals(
      source,
      { now: () => nowMs, monotonic: () => nowMs },
      {
        end: () => seen.push('end'),
        endAtOnce: (code) => seen.push(code),
        reload: () => seen.push('reload'),
      },
    );
    for (const [signal, atMs] of signals) {
      nowMs = atMs;
      source.emit(signal);
    }
    assert.deepEqual(seen, done);
  });
}
