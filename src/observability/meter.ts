import type { Counter, Gauge, Histogram, Meter } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { METRICS, type MetricDefinition, type MetricKind, SERIES_REFUSED } from './metric-table.ts';

type Labels = Readonly<Record<string, string>>;

/** All series of one metric: `labels` holds the values of series after series, `values` `width` numbers each. */
export interface MetricSamples {
  readonly name: string;
  readonly labels: readonly string[];
  readonly values: Float64Array<ArrayBuffer>;
}

/** A plain copy of a meter, fit for `postMessage`. */
export type MeterSnapshot = readonly MetricSamples[];

export interface LocalMeter extends Meter {
  /** Copies every series; the meter goes on counting. */
  snapshot(): MeterSnapshot;
}

export interface MeterOptions {
  /** Default: the product's table. */
  readonly metrics?: readonly MetricDefinition[];
  /** Label sets per metric; over it all share one series `other`. Default 20,000, for histograms fewer. */
  readonly maxSeries?: number;
  /** Called once per metric that reached its cap. */
  readonly onOverflow?: (metric: string) => void;
}

const PAGE = 4096;
const MAX_SERIES = 20_000;
const MAX_VALUES_PER_METRIC = 200_000;
const NO_LABELS: Labels = Object.freeze({});

class Cell implements Counter, Gauge, Histogram {
  readonly page: Float64Array;
  readonly at: number;
  readonly bounds: Float64Array;

  constructor(page: Float64Array, at: number, bounds: Float64Array) {
    this.page = page;
    this.at = at;
    this.bounds = bounds;
  }

  /** Ignores what is not a positive number: one NaN would spoil a total for ever. */
  add(n: number): void {
    if (n > 0) this.page[this.at] += n;
  }

  set(value: number): void {
    this.page[this.at] = value;
  }

  observe(value: number): void {
    if (!(value >= 0)) return;
    const { page, at, bounds } = this;
    const last = bounds.length;
    let i = 0;
    while (i < last && value > bounds[i]) i++;
    page[at + i]++;
    page[at + last + 1] += value;
  }
}

/** Numbers that one series takes: a histogram has its buckets, the rest (+Inf) and the sum. */
export const widthOf = (definition: MetricDefinition): number =>
  definition.kind === 'histogram' ? (definition.buckets?.length ?? 0) + 2 : 1;

/** Look-up key of a label set; JSON, since any joining character could occur in a value. */
export const seriesKey = (values: readonly string[]): string => JSON.stringify(values);

class Family {
  readonly definition: MetricDefinition;
  readonly width: number;
  readonly bounds: Float64Array;
  readonly maxSeries: number;
  readonly cells: Cell[] = [];
  labels: string[] = [];
  readonly byKey = new Map<string, Cell>();
  overflow: Cell | undefined;

  constructor(definition: MetricDefinition, maxSeries: number | undefined) {
    this.definition = definition;
    this.width = widthOf(definition);
    this.bounds = Float64Array.from(definition.buckets ?? []);
    this.maxSeries = maxSeries ?? Math.min(MAX_SERIES, Math.floor(MAX_VALUES_PER_METRIC / this.width));
  }

  labelValues(labels: Labels): string[] {
    const { labels: names, name } = this.definition;
    for (const label of Object.keys(labels)) {
      if (!names.includes(label)) throw new InternalError(`metric ${name} has no label ${label}`);
    }
    return names.map((label) => labels[label] ?? '');
  }
}

class PagedMeter implements LocalMeter {
  readonly #families = new Map<string, Family>();
  readonly #onOverflow: ((metric: string) => void) | undefined;
  #page = new Float64Array(PAGE);
  #used = 0;

  constructor(options: MeterOptions) {
    this.#onOverflow = options.onOverflow;
    for (const definition of options.metrics ?? METRICS) {
      this.#families.set(definition.name, new Family(definition, options.maxSeries));
    }
  }

  counter(name: string, labels: Labels = NO_LABELS): Counter {
    return this.#cell(name, labels, ['counter']);
  }

  gauge(name: string, labels: Labels = NO_LABELS): Gauge {
    return this.#cell(name, labels, ['gauge', 'info']);
  }

  histogram(name: string, labels: Labels = NO_LABELS): Histogram {
    return this.#cell(name, labels, ['histogram']);
  }

  snapshot(): MeterSnapshot {
    const samples: MetricSamples[] = [];
    for (const family of this.#families.values()) {
      const { cells, width } = family;
      if (cells.length === 0) continue;
      const values = new Float64Array(cells.length * width);
      cells.forEach((cell, i) => {
        values.set(cell.page.subarray(cell.at, cell.at + width), i * width);
      });
      samples.push({ name: family.definition.name, labels: family.labels.slice(), values });
    }
    return samples;
  }

  #cell(name: string, labels: Labels, kinds: readonly MetricKind[]): Cell {
    const family = this.#families.get(name);
    if (family === undefined) throw new InternalError(`metric ${name} is not in the table`);
    if (!kinds.includes(family.definition.kind)) {
      throw new InternalError(`metric ${name} is a ${family.definition.kind}`);
    }
    const values = family.labelValues(labels);
    if (family.definition.kind === 'info') return this.#only(family, values);
    const key = seriesKey(values);
    return family.byKey.get(key) ?? this.#open(family, key, values);
  }

  #only(family: Family, values: string[]): Cell {
    family.labels = values;
    if (family.cells.length === 0) family.cells.push(this.#allocate(family));
    return family.cells[0];
  }

  #open(family: Family, key: string, values: string[]): Cell {
    if (family.cells.length >= family.maxSeries) return this.#overflow(family);
    const cell = this.#allocate(family);
    family.cells.push(cell);
    family.labels.push(...values);
    family.byKey.set(key, cell);
    return cell;
  }

  /** A caller must never grow this process: what is over the cap is counted together. */
  #overflow(family: Family): Cell {
    if (family.definition.name !== SERIES_REFUSED && this.#families.has(SERIES_REFUSED)) {
      this.counter(SERIES_REFUSED, { metric: family.definition.name }).add(1);
    }
    if (family.overflow === undefined) {
      family.overflow = this.#allocate(family);
      family.cells.push(family.overflow);
      family.labels.push(...family.definition.labels.map(() => 'other'));
      this.#onOverflow?.(family.definition.name);
    }
    return family.overflow;
  }

  /** A series lies within one page and pages never move, so that a handle can hold on to its page. */
  #allocate(family: Family): Cell {
    if (this.#used + family.width > PAGE) {
      this.#page = new Float64Array(PAGE);
      this.#used = 0;
    }
    const cell = new Cell(this.#page, this.#used, family.bounds);
    this.#used += family.width;
    return cell;
  }
}

/** A meter of this thread. Undeclared names, kinds and labels throw InternalError; a label left out is ''. */
export const createMeter = (options: MeterOptions = {}): LocalMeter => new PagedMeter(options);
