import type { EvaluationDeps, Logger, Meter, Random, RecordSink } from '../contract/index.ts';
import type { Deadlines } from '../lib/deadlines.ts';
import type { SharedIo } from '../lib/shared-io.ts';
import type { NodeCounts } from './connection-places.ts';
import type { CredentialUses } from './credential-uses.ts';
import type { HttpDate } from './http-date.ts';
import type { Shedder } from './overload/shedder.ts';
import type { Trials } from './trial/index.ts';
import type { Witnesses } from './witness.ts';

/** What every connection and exchange of a worker shares. */
export interface DataPlaneServices {
  readonly evaluation: EvaluationDeps;
  readonly random: Random;
  readonly meter: Meter;
  readonly log: Logger;
  /** Undefined when records are off: then none is built. */
  readonly records: RecordSink | undefined;
  readonly counts: NodeCounts;
  readonly shedder: Shedder;
  readonly uses: CredentialUses;
  readonly witnesses: Witnesses;
  readonly trials: Trials;
  readonly deadlines: Deadlines;
  readonly date: HttpDate;
  /** What all sockets of the worker share. */
  readonly io: SharedIo;
  /** Monotonic milliseconds. */
  now(): number;
}
