/**
 * Metrics as the data side sees them: a handle is made once (at compile or at first use), then costs an
 * add to a typed array. Names and labels are declared in one table in `observability`; an undeclared name throws.
 */
export interface Meter {
  counter(name: string, labels?: Readonly<Record<string, string>>): Counter;
  gauge(name: string, labels?: Readonly<Record<string, string>>): Gauge;
  histogram(name: string, labels?: Readonly<Record<string, string>>): Histogram;
}

export interface Counter {
  add(n: number): void;
}

export interface Gauge {
  set(value: number): void;
}

export interface Histogram {
  /** In the metric's base unit (seconds, bytes). */
  observe(value: number): void;
}

/** Operator's log: one JSON line per event. `event` is a stable kebab-case word, never a sentence with values in it. */
export interface Logger {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}
