import type { MeterSnapshot, MetricSamples } from './meter.ts';
import { widthOf } from './meter.ts';
import { METRICS, type MetricDefinition } from './metric-table.ts';

/** Media type of {@link exposition} (Prometheus text format 0.0.4). */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** A snapshot as Prometheus text, metrics in the order of the table. */
export function exposition(snapshot: MeterSnapshot, metrics: readonly MetricDefinition[] = METRICS): string {
  const lines: string[] = [];
  for (const definition of metrics) {
    const samples = snapshot.find((s) => s.name === definition.name);
    if (samples === undefined) continue;
    const type = definition.kind === 'info' ? 'gauge' : definition.kind;
    lines.push(
      `# HELP ${definition.name} ${escapeHelp(definition.help)}`,
      `# TYPE ${definition.name} ${type}`,
    );
    writeSeries(lines, definition, samples);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function writeSeries(lines: string[], definition: MetricDefinition, samples: MetricSamples): void {
  const width = widthOf(definition);
  const names = definition.labels;
  for (let i = 0; i * width < samples.values.length; i++) {
    const labels = labelText(names, samples.labels.slice(i * names.length, (i + 1) * names.length));
    const values = samples.values.subarray(i * width, (i + 1) * width);
    if (definition.kind === 'histogram') writeHistogram(lines, definition, labels, values);
    else lines.push(`${definition.name}${braced(labels)} ${numberText(values[0])}`);
  }
}

/** Buckets are held apart and exposed cumulatively; `_count` is the +Inf bucket by definition. */
function writeHistogram(
  lines: string[],
  { name, buckets = [] }: MetricDefinition,
  labels: string,
  values: Float64Array,
): void {
  const prefix = labels === '' ? '' : `${labels},`;
  let total = 0;
  buckets.forEach((bound, i) => {
    total += values[i];
    lines.push(`${name}_bucket{${prefix}le="${numberText(bound)}"} ${numberText(total)}`);
  });
  total += values[buckets.length];
  lines.push(
    `${name}_bucket{${prefix}le="+Inf"} ${numberText(total)}`,
    `${name}_sum${braced(labels)} ${numberText(values[buckets.length + 1])}`,
    `${name}_count${braced(labels)} ${numberText(total)}`,
  );
}

/** An empty label is the same as none to Prometheus, so it is left out. */
function labelText(names: readonly string[], values: readonly string[]): string {
  const pairs: string[] = [];
  names.forEach((name, i) => {
    if (values[i] !== '') pairs.push(`${name}="${escapeLabel(values[i])}"`);
  });
  return pairs.join(',');
}

const braced = (labels: string): string => (labels === '' ? '' : `{${labels}}`);

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

/** Unescaped, a quote or line feed in a label would let its author write series of their own. */
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}
