import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pinned } from '../peers/peer.ts';

const execute = promisify(execFile);

/** A load to put on a peer. */
export interface Load {
  readonly path: string;
  readonly headers?: readonly string[];
  /** A wrk script (Lua) for anything but a plain GET. */
  readonly script?: string;
  /** What the script is told. */
  readonly arguments?: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  readonly core: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds at the median and the 99th percentile. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** All that wrk and its script said. */
  readonly output: string;
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function milliseconds(text: string, percentile: string): number {
  const match = new RegExp(`^\\s+${percentile}%\\s+([\\d.]+)(us|ms|s|m)$`, 'm').exec(text);
  return match === null ? Number.NaN : Number(match[1]) * UNIT_MS[match[2]];
}

/** Runs wrk against `port`. Any answer that is not 2xx and any socket error fails the run: no bar is met by refusing. */
export async function runWrk(port: number, load: Load): Promise<LoadResult> {
  const command = ['wrk', '-t', '1', '-c', String(load.connections), '-d', `${load.seconds}s`, '--latency'];
  for (const header of load.headers ?? []) command.push('-H', header);
  if (load.script !== undefined) command.push('-s', load.script);
  const [program, ...args] = pinned(load.core, [...command, `http://127.0.0.1:${port}${load.path}`]);
  if (load.arguments !== undefined) args.push('--', ...load.arguments);
  const { stdout } = await execute(program, args);
  const totals = /(\d+) requests in ([\d.]+)(s|m)/.exec(stdout);
  if (totals === null) throw new Error(`wrk said nothing of requests:\n${stdout}`);
  const bad = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(stdout);
  if (bad !== null && !/connect 0, read 0, write 0, timeout 0/.test(bad[0]))
    throw new Error(`${bad[0]} on port ${port}`);
  const seconds = Number(totals[2]) * (totals[3] === 'm' ? 60 : 1);
  return {
    requests: Number(totals[1]),
    seconds,
    p50Ms: milliseconds(stdout, '50'),
    p99Ms: milliseconds(stdout, '99'),
    output: stdout,
  };
}
