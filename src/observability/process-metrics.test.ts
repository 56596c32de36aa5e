import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exposition } from './exposition.ts';
import { createMeter } from './meter.ts';
import { createLagProbe, createProcessMetrics, processFacts } from './process-metrics.ts';

test('process metrics follow the facts, and what is unknown is left out', () => {
  const meter = createMeter();
  let cpuSeconds = 2;
  const refresh = createProcessMetrics(meter, {
    cpuSeconds: () => cpuSeconds,
    residentBytes: () => 1024,
    openDescriptors: () => 7,
    maxDescriptors: () => undefined,
    startTimeSeconds: () => 1000,
  });
  refresh();
  cpuSeconds = 3.5;
  refresh();
  const text = exposition(meter.snapshot());
  assert.match(text, /^process_cpu_seconds_total 3.5$/m);
  assert.match(text, /^process_resident_memory_bytes 1024$/m);
  assert.match(text, /^process_start_time_seconds 1000$/m);
  assert.match(text, /^process_open_fds 7$/m);
  assert.doesNotMatch(text, /process_max_fds/);
});

test('the facts of this process are plausible', () => {
  const facts = processFacts();
  assert.ok(facts.cpuSeconds() > 0);
  assert.ok(facts.residentBytes() > 1e6);
  assert.ok((facts.openDescriptors() ?? 3) >= 3);
  assert.ok(facts.startTimeSeconds() > 1.6e9);
});

test('lag is the worst delay since the last sample, one still going on included', () => {
  let nowMs = 0;
  const meter = createMeter();
  const probe = createLagProbe(meter, { now: () => nowMs, monotonic: () => nowMs }, 100);
  const lag = (): number => {
    probe.sample();
    return meter.snapshot()[0].values[0];
  };
  const tickAt = (ms: number): void => {
    nowMs = ms;
    probe.tick();
  };
  tickAt(100);
  assert.equal(lag(), 0);
  tickAt(350);
  tickAt(450);
  assert.equal(lag(), 0.15);
  assert.equal(lag(), 0);
  nowMs = 850;
  assert.equal(lag(), 0.3);
});
