import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { InternalError } from '../errors.ts';
import { exposition } from './exposition.ts';
import { MetricTotals, mergeSnapshots } from './merge.ts';
import { createMeter, type LocalMeter } from './meter.ts';
import { METRICS, type MetricDefinition, SERIES_REFUSED } from './metric-table.ts';

const TABLE: readonly MetricDefinition[] = [
  { name: 'hits_total', kind: 'counter', help: 'Hits.', labels: ['route', 'status'] },
  { name: 'open', kind: 'gauge', help: 'Open.', labels: [] },
  { name: 'lag', kind: 'gauge', help: 'Lag.', labels: [], merge: 'max' },
  { name: 'took_seconds', kind: 'histogram', help: 'Took.', labels: ['route'], buckets: [0.1, 1] },
  { name: 'config', kind: 'info', help: 'Config.', labels: ['revision'], merge: 'max' },
  { name: SERIES_REFUSED, kind: 'counter', help: 'Refused.', labels: ['metric'] },
];

const meterOf = (maxSeries = 100): LocalMeter => createMeter({ metrics: TABLE, maxSeries });
const textOf = (meter: LocalMeter): string => exposition(meter.snapshot(), TABLE);

test('what the table does not declare is refused', () => {
  const meter = meterOf();
  const refused: [string, () => unknown][] = [
    ['unknown name', () => meter.counter('nope_total')],
    ['wrong kind', () => meter.gauge('hits_total')],
    ['histogram as counter', () => meter.counter('took_seconds')],
    ['unknown label', () => meter.counter('hits_total', { user: 'x' })],
  ];
  for (const [name, attempt] of refused) assert.throws(attempt, InternalError, name);
});

test('one label set is one series, whatever the order of its labels', () => {
  const meter = meterOf();
  meter.counter('hits_total', { route: 'a', status: '200' }).add(1);
  meter.counter('hits_total', { status: '200', route: 'a' }).add(2);
  assert.match(textOf(meter), /^hits_total\{route="a",status="200"\} 3$/m);
});

test('no two label sets share a series', () => {
  const meter = meterOf();
  meter.counter('hits_total', { route: 'a","b', status: '' }).add(1);
  meter.counter('hits_total', { route: 'a', status: 'b' }).add(1);
  assert.equal(meter.snapshot()[0].values.length, 2);
});

test('a counter takes positive numbers only', () => {
  const meter = meterOf();
  const hits = meter.counter('hits_total');
  for (const n of [1, -5, Number.NaN, 0.5]) hits.add(n);
  assert.match(textOf(meter), /^hits_total 1.5$/m);
});

test('histograms put a value into the first bucket that holds it', () => {
  const meter = meterOf();
  const took = meter.histogram('took_seconds', { route: 'a' });
  for (const seconds of [0, 0.1, 0.11, 1, 5, Number.NaN, -1]) took.observe(seconds);
  const lines = textOf(meter).trim().split('\n').slice(2);
  assert.deepEqual(lines, [
    'took_seconds_bucket{route="a",le="0.1"} 2',
    'took_seconds_bucket{route="a",le="1"} 4',
    'took_seconds_bucket{route="a",le="+Inf"} 5',
    'took_seconds_sum{route="a"} 6.21',
    'took_seconds_count{route="a"} 5',
  ]);
});

test('an attacker cannot grow the process: over the cap everything shares one series', () => {
  const overflowed: string[] = [];
  const meter = createMeter({ metrics: TABLE, maxSeries: 3, onOverflow: (name) => overflowed.push(name) });
  for (let i = 0; i < 1000; i++) meter.counter('hits_total', { route: `r${i}`, status: '200' }).add(1);
  const hits = meter.snapshot()[0];
  assert.equal(hits.values.length, 4);
  assert.deepEqual([...hits.values], [1, 1, 1, 997]);
  assert.deepEqual(overflowed, ['hits_total']);
  assert.match(textOf(meter), /^hits_total\{route="other",status="other"\} 997$/m);
  assert.match(textOf(meter), new RegExp(`^${SERIES_REFUSED}\\{metric="hits_total"\\} 997$`, 'm'));
  meter.counter('hits_total', { route: 'r0', status: '200' }).add(1);
  assert.equal(meter.snapshot()[0].values[0], 2);
});

test('a handle goes on counting while thousands of series are added', () => {
  const meter = meterOf(20_000);
  const first = meter.counter('hits_total', { route: 'first', status: '' });
  const took = meter.histogram('took_seconds', { route: 'first' });
  for (let i = 0; i < 10_000; i++) meter.counter('hits_total', { route: `r${i}`, status: '' });
  first.add(7);
  took.observe(0.5);
  const [hits, seconds] = meter.snapshot();
  assert.equal(hits.values[0], 7);
  assert.equal(
    hits.values.reduce((a, b) => a + b),
    7,
  );
  assert.deepEqual([...seconds.values], [0, 1, 0, 0.5]);
});

test('a new revision replaces the one before', () => {
  const meter = meterOf();
  for (const revision of ['a', 'b', 'c']) meter.gauge('config', { revision }).set(1);
  const text = textOf(meter);
  assert.deepEqual(text.match(/^config\{.*$/gm), ['config{revision="c"} 1']);
});

test('a snapshot is a copy that survives postMessage', () => {
  const meter = meterOf();
  const hits = meter.counter('hits_total', { route: 'a', status: '200' });
  hits.add(1);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(meter.snapshot());
  hits.add(1);
  const { message } = receiveMessageOnPort(port2) ?? {};
  port1.close();
  assert.deepEqual(message[0], { name: 'hits_total', labels: ['a', '200'], values: Float64Array.of(1) });
});

test('merging adds counters and histograms, and takes gauges as their entry says', () => {
  const threads = [1, 2].map((n) => {
    const meter = meterOf();
    meter.counter('hits_total', { route: 'a', status: '200' }).add(n);
    meter.counter('hits_total', { route: `only${n}`, status: '200' }).add(n);
    meter.gauge('open').set(n);
    meter.gauge('lag').set(n);
    meter.histogram('took_seconds', { route: 'a' }).observe(n);
    meter.gauge('config', { revision: 'r' }).set(1);
    return meter.snapshot();
  });
  const text = exposition(mergeSnapshots(threads, TABLE), TABLE);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.deepEqual(samples, [
    'hits_total{route="a",status="200"} 3',
    'hits_total{route="only1",status="200"} 1',
    'hits_total{route="only2",status="200"} 2',
    'open 3',
    'lag 2',
    'took_seconds_bucket{route="a",le="0.1"} 0',
    'took_seconds_bucket{route="a",le="1"} 1',
    'took_seconds_bucket{route="a",le="+Inf"} 2',
    'took_seconds_sum{route="a"} 3',
    'took_seconds_count{route="a"} 2',
    'config{revision="r"} 1',
  ]);
});

test('merging leaves its sources as they are', () => {
  const meter = meterOf();
  meter.gauge('open').set(1);
  const snapshot = meter.snapshot();
  mergeSnapshots([snapshot, snapshot], TABLE);
  assert.deepEqual([...snapshot[0].values], [1]);
});

test('totals never decrease when a worker dies, and its gauges leave with it', () => {
  const totals = new MetricTotals(TABLE);
  const worker = (hits: number): LocalMeter => {
    const meter = meterOf();
    meter.counter('hits_total').add(hits);
    meter.gauge('open').set(4);
    return meter;
  };
  totals.update('1', worker(10).snapshot());
  totals.update('2', worker(5).snapshot());
  totals.retire('1');
  assert.match(exposition(totals.merged(), TABLE), /^hits_total 15$[\s\S]*^open 4$/m);
  totals.update('3', worker(1).snapshot());
  totals.retire('3');
  totals.retire('3');
  totals.retire('unknown');
  assert.match(exposition(totals.merged(), TABLE), /^hits_total 16$/m);
});

test('text of the exposition format is escaped', () => {
  const table: MetricDefinition[] = [
    { name: 'x_total', kind: 'counter', help: 'A \\ and\na line.', labels: ['v'] },
    { name: 'g', kind: 'gauge', help: 'G.', labels: ['v'] },
  ];
  const meter = createMeter({ metrics: table });
  meter.counter('x_total', { v: 'a"} 1\nforged_total{v="\\' }).add(1);
  for (const n of [Infinity, -Infinity, Number.NaN]) meter.gauge('g', { v: String(n) }).set(n);
  assert.equal(
    exposition(meter.snapshot(), table),
    [
      '# HELP x_total A \\\\ and\\na line.',
      '# TYPE x_total counter',
      'x_total{v="a\\"} 1\\nforged_total{v=\\"\\\\"} 1',
      '# HELP g G.',
      '# TYPE g gauge',
      'g{v="Infinity"} +Inf',
      'g{v="-Infinity"} -Inf',
      'g{v="NaN"} NaN',
      '',
    ].join('\n'),
  );
});

test('the table keeps to the rules for names', () => {
  const names = METRICS.map((m) => m.name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, kind, labels, buckets } of METRICS) {
    assert.match(name, /^(sallyport|process)_[a-z_]+$/);
    assert.equal(name.endsWith('_total'), kind === 'counter', name);
    assert.ok(!labels.includes('le'), name);
    assert.equal(buckets !== undefined, kind === 'histogram', name);
    assert.deepEqual(buckets, buckets === undefined ? undefined : [...buckets].sort((a, b) => a - b));
  }
});
