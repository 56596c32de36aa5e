import type { MeterSnapshot, MetricSamples } from './meter.ts';
import { seriesKey, widthOf } from './meter.ts';
import { METRICS, type MetricDefinition } from './metric-table.ts';

/** One metric under construction: values of each label set, in order of first sight. */
interface Sum {
  readonly width: number;
  readonly combine: (a: number, b: number) => number;
  readonly series: Map<string, { readonly labels: readonly string[]; readonly values: Float64Array }>;
}

/**
 * One snapshot out of several: counters and histograms add up, gauges as their table entry says. What the
 * table does not know is left out.
 */
export function mergeSnapshots(
  snapshots: readonly MeterSnapshot[],
  metrics: readonly MetricDefinition[] = METRICS,
): MeterSnapshot {
  const merged: MetricSamples[] = [];
  for (const definition of metrics) {
    const sum: Sum = {
      width: widthOf(definition),
      combine: COMBINE[definition.merge ?? 'sum'],
      series: new Map(),
    };
    for (const snapshot of snapshots) {
      const samples = snapshot.find((s) => s.name === definition.name);
      if (samples !== undefined) addSamples(sum, samples, definition.labels.length);
    }
    if (sum.series.size > 0) merged.push(toSamples(definition.name, sum));
  }
  return merged;
}

function addSamples(sum: Sum, samples: MetricSamples, labelCount: number): void {
  const { width, series, combine } = sum;
  const count = samples.values.length / width;
  for (let i = 0; i < count; i++) {
    const labels = samples.labels.slice(i * labelCount, (i + 1) * labelCount);
    const values = samples.values.subarray(i * width, (i + 1) * width);
    const key = seriesKey(labels);
    const known = series.get(key);
    if (known === undefined) series.set(key, { labels, values: values.slice() });
    else for (let v = 0; v < width; v++) known.values[v] = combine(known.values[v], values[v]);
  }
}

const COMBINE = { sum: (a: number, b: number): number => a + b, max: Math.max, min: Math.min };

function toSamples(name: string, sum: Sum): MetricSamples {
  const labels: string[] = [];
  const values = new Float64Array(sum.series.size * sum.width);
  let at = 0;
  for (const one of sum.series.values()) {
    labels.push(...one.labels);
    values.set(one.values, at);
    at += sum.width;
  }
  return { name, labels, values };
}

/**
 * Totals over threads that come and go. The counters of a thread that ended stay as a base, so that no total
 * ever decreases (Prometheus would read that as a restart); its gauges leave with it.
 */
export class MetricTotals {
  readonly #metrics: readonly MetricDefinition[];
  readonly #latest = new Map<string, MeterSnapshot>();
  #base: MeterSnapshot = [];

  constructor(metrics: readonly MetricDefinition[] = METRICS) {
    this.#metrics = metrics;
  }

  /** Takes the latest snapshot of a thread; `thread` is new for every start of a worker. */
  update(thread: string, snapshot: MeterSnapshot): void {
    this.#latest.set(thread, snapshot);
  }

  /** The thread has ended. */
  retire(thread: string): void {
    const last = this.#latest.get(thread);
    if (last === undefined) return;
    this.#latest.delete(thread);
    this.#base = mergeSnapshots([this.#base, last.filter((s) => this.#accumulates(s.name))], this.#metrics);
  }

  merged(): MeterSnapshot {
    return mergeSnapshots([this.#base, ...this.#latest.values()], this.#metrics);
  }

  #accumulates(name: string): boolean {
    const kind = this.#metrics.find((m) => m.name === name)?.kind;
    return kind === 'counter' || kind === 'histogram';
  }
}
