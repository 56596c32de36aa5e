/** How long a scenario may measure. */
export interface RunOptions {
  /** Rounds over all lanes; the median of them counts. */
  readonly rounds: number;
  /** Load on one lane in one round. */
  readonly seconds: number;
  readonly log: (line: string) => void;
}

/** A figure with the limit it must not pass. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  /** The bar is met when `value <= limit`. */
  readonly limit: number;
  /** Between these the true value lies in 95 of 100 measurements, where that is known. */
  readonly spread?: { readonly from: number; readonly to: number };
}

export type Row = Readonly<Record<string, string | number>>;

export interface Outcome {
  readonly rows: readonly Row[];
  readonly bars: readonly Bar[];
}

/** One named measurement: a file in `bench/scenarios/` whose default export this is. */
export interface Scenario {
  readonly title: string;
  run(options: RunOptions): Promise<Outcome>;
}
