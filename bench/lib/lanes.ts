import type { RunOptions } from './scenario.ts';
import { median } from './statistics.ts';
import { type Load, type LoadResult, runWrk } from './wrk.ts';

/** The core of what is measured, and the core of load generator and upstream. */
export const MEASURED_CORE = 0;
export const LOAD_CORE = 1;

const WARM_UP_SECONDS = 2;
/** Connections that a load keeps open. */
export const CONNECTIONS = 64;

/** A peer under one kind of load. Two lanes may share a peer. */
export interface Lane {
  readonly name: string;
  readonly peer: { readonly port: number; cpuSeconds(): number };
  readonly load: Partial<Load> & { readonly path: string };
}

/** What the rounds of one lane gave, in order. */
export interface LaneResult {
  readonly name: string;
  readonly microsecondsPerRequest: readonly number[];
  readonly requestsPerSecond: readonly number[];
  readonly p99Ms: readonly number[];
}

async function once(lane: Lane, seconds: number): Promise<LoadResult & { cpu: number }> {
  const before = lane.peer.cpuSeconds();
  const result = await runWrk(lane.peer.port, {
    connections: CONNECTIONS,
    core: LOAD_CORE,
    ...lane.load,
    seconds,
  });
  return { ...result, cpu: lane.peer.cpuSeconds() - before };
}

/** Loads every lane in turn, round after round (A B C A B C …), so that a slow spell of the machine meets all alike. */
export async function measureLanes(lanes: readonly Lane[], options: RunOptions): Promise<LaneResult[]> {
  for (const lane of lanes) await once(lane, Math.min(WARM_UP_SECONDS, options.seconds));
  const results = lanes.map((lane) => ({
    name: lane.name,
    microsecondsPerRequest: [] as number[],
    requestsPerSecond: [] as number[],
    p99Ms: [] as number[],
  }));
  for (let round = 1; round <= options.rounds; round++) {
    for (const [index, lane] of lanes.entries()) {
      const { requests, seconds, cpu, p99Ms } = await once(lane, options.seconds);
      results[index].microsecondsPerRequest.push((cpu * 1e6) / requests);
      results[index].requestsPerSecond.push(requests / seconds);
      results[index].p99Ms.push(p99Ms);
    }
    options.log(
      `round ${round}/${options.rounds}: ${results.map((r) => `${r.name} ${r.microsecondsPerRequest.at(-1)?.toFixed(1)} µs`).join(', ')}`,
    );
  }
  return results;
}

/** CPU per request of one lane over another's: the ratio of each round, then the median of those. */
export function cpuRatio(lane: LaneResult, baseline: LaneResult): number {
  return median(lane.microsecondsPerRequest.map((value, i) => value / baseline.microsecondsPerRequest[i]));
}

/** A lane as a row of the table. */
export function laneRow(lane: LaneResult, baseline: LaneResult): Record<string, string | number> {
  return {
    lane: lane.name,
    'CPU µs/request': median(lane.microsecondsPerRequest).toFixed(1),
    'requests/s': Math.round(median(lane.requestsPerSecond)),
    'p99 ms': median(lane.p99Ms).toFixed(2),
    [`× ${baseline.name}`]: cpuRatio(lane, baseline).toFixed(2),
  };
}
