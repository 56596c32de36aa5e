import type { Meter } from '../contract/index.ts';

/** What is known of one table of counters. */
export interface TableFacts {
  /** Keys that it has places for. */
  readonly maxKeys: number;
  /** Requests refused so far since all places for their key were live. */
  readonly refusedForSpace: number;
}

/** Returns a function that brings the metrics of tables, by name, up to date; call it before each scrape, on one thread only. */
export function createTableMetrics(
  meter: Meter,
  tables: () => Readonly<Record<string, TableFacts>>,
): () => void {
  const counted = new Map<string, number>();
  return () => {
    for (const [table, { maxKeys, refusedForSpace }] of Object.entries(tables())) {
      meter.gauge('sallyport_counter_keys_max', { table }).set(maxKeys);
      meter
        .counter('sallyport_counter_refused_for_space_total', { table })
        .add(refusedForSpace - (counted.get(table) ?? 0));
      counted.set(table, refusedForSpace);
    }
  };
}
