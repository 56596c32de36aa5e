import assert from 'node:assert/strict';
import { it } from 'node:test';
import { exposition } from './exposition.ts';
import { createMeter } from './meter.ts';
import { createTableMetrics } from './table-metrics.ts';

it('the size of each table is told, and what it refused is counted once', () => {
  const meter = createMeter();
  let refusedForSpace = 3;
  const update = createTableMetrics(meter, () => ({
    counters: { maxKeys: 1024, refusedForSpace },
    quotas: { maxKeys: 16, refusedForSpace: 0 },
  }));
  update();
  refusedForSpace = 5;
  update();
  update();
  const lines = exposition(meter.snapshot())
    .split('\n')
    .filter((line) => line.startsWith('sallyport_counter'));
  assert.deepEqual(lines.toSorted(), [
    'sallyport_counter_keys_max{table="counters"} 1024',
    'sallyport_counter_keys_max{table="quotas"} 16',
    'sallyport_counter_refused_for_space_total{table="counters"} 5',
    'sallyport_counter_refused_for_space_total{table="quotas"} 0',
  ]);
});
