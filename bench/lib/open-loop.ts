import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pinned } from '../peers/peer.ts';
import { LOAD_CORE } from './lanes.ts';

const execute = promisify(execFile);

/** Requests that begin on a schedule, whatever becomes of those before: what callers do that do not know each other. */
export interface OpenLane {
  readonly name: string;
  readonly path: string;
  readonly headers?: readonly string[];
  /** What is sent with it: then it is a POST of JSON. */
  readonly body?: string;
  readonly perSecond: number;
  /** Each has one request at a time; a request that finds none free is lost. */
  readonly connections: number;
}

export interface OpenLoad {
  readonly lanes: readonly OpenLane[];
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** What came of a lane, after the warm-up. */
export interface LaneOutcome {
  readonly name: string;
  /** Begun by schedule. */
  offered: number;
  /** Of these, lost since all connections waited for an answer. */
  unsent: number;
  /** Answered 200. */
  served: number;
  /** Answered 503. */
  refused: number;
  /** Answered otherwise, or cut. */
  failed: number;
  /** From the request written to the last byte of its answer, of those that were served. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface OpenOutcome {
  readonly lanes: readonly LaneOutcome[];
  /** CPU of the generator itself: near 1 it is what was measured. */
  readonly cpuShare: number;
}

/** Puts an open load on `port`, from the load's core. wrk cannot: it waits for each answer before it asks again. */
export async function runOpenLoad(port: number, load: OpenLoad): Promise<OpenOutcome> {
  const script = join(import.meta.dirname, 'open-loop-client.ts');
  const command = [process.execPath, script, JSON.stringify({ ...load, port })];
  const [program, ...args] = pinned(LOAD_CORE, command);
  const { stdout } = await execute(program, args);
  const outcome: OpenOutcome = JSON.parse(stdout);
  return outcome;
}
