import type { DecisionEntry } from './decision.ts';

/** The one entry written per request. Secrets never appear: no header values, no query, no body. */
export interface AccessRecord {
  /** ISO 8601 with milliseconds, UTC. */
  readonly time: string;
  readonly requestId: string;
  readonly traceId: string;
  readonly revision: string;
  readonly listener: string;
  readonly route: string;
  readonly client: string;
  readonly consumer: string | undefined;
  readonly credential: string | undefined;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
  /** Stable code when the gateway answered by itself. */
  readonly error: string | undefined;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly durationMs: number;
  readonly upstream: string | undefined;
  readonly target: string | undefined;
  readonly upstreamMs: number | undefined;
  readonly decisions: readonly DecisionEntry[];
}

/** Where records go. Never blocks: when the sink is slow, records are dropped and counted. */
export interface RecordSink {
  /** One line of JSON without the newline. */
  write(line: string): void;
}
