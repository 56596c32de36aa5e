import { join } from 'node:path';
import { CONNECTIONS, LOAD_CORE } from './lanes.ts';
import type { RunOptions } from './scenario.ts';
import { median, type Spread, spreadOf } from './statistics.ts';
import { runWrk } from './wrk.ts';

const SCRIPT = join(import.meta.dirname, 'paired-load.lua');

/**
 * Requests of one turn: about a twentieth of a second. So few that a slow spell of the machine meets a lane and the turns
 * beside it alike, and so many that each has its share of garbage collections.
 */
const TURN = 2_000;

/** Requests before those of a turn, several on each connection: what is answered then was asked in the turn before. */
const SETTLE = 4 * CONNECTIONS;

/** Requests to one path, `turn` of them, and what they took. */
export interface Turn {
  /** Which of the paths. */
  readonly at: number;
  readonly microsecondsPerRequest: number;
}

/** A lane against the one it is compared with. */
export interface PairedLane {
  readonly name: string;
  readonly microsecondsPerRequest: number;
  /** Over the turns of the bare lane beside its own, in microseconds of CPU time per request. */
  readonly over: Spread;
  /** Turns that were compared. */
  readonly pairs: number;
}

/**
 * CPU time of requests to `/NAME` for each name, against those to `/BARE`: the bare lane and the others take turns of a
 * few hundredths of a second over the same connections to the same process (bare A bare B bare A …), and each turn is
 * compared with the mean of the bare ones before and behind it. The first result is the bare lane's own.
 */
export async function measurePaired(
  peer: { readonly port: number; readonly pid: number },
  bare: string,
  names: readonly string[],
  options: RunOptions,
): Promise<PairedLane[]> {
  const differences = names.map((): number[] => []);
  const totals = [bare, ...names].map((): number[] => []);
  await turnsOf(peer, bare, names, Math.min(2, options.seconds));
  for (let round = 1; round <= options.rounds; round++) {
    const turns = await turnsOf(peer, bare, names, options.seconds);
    for (const { at, microsecondsPerRequest } of turns) totals[laneAt(at)].push(microsecondsPerRequest);
    for (const [i, more] of differencesIn(turns, names.length).entries()) differences[i].push(...more);
    const told = names.map((name, i) => `${name} ${median(differences[i]).toFixed(2)} µs`);
    options.log(`round ${round}/${options.rounds}, over ${bare} so far: ${told.join(', ')}`);
  }
  const none = { value: 0, from: 0, to: 0 };
  return [bare, ...names].map((name, i) => ({
    name,
    microsecondsPerRequest: median(totals[i]),
    over: i === 0 ? none : spreadOf(differences[i - 1]),
    pairs: i === 0 ? 0 : differences[i - 1].length,
  }));
}

/** Paths in turn: the bare one before each other. 0 is the bare lane, 1 the first of the others. */
const laneAt = (at: number): number => (at % 2 === 0 ? 0 : (at + 1) / 2);

/** `seconds` for each path, the first time round left out: connections are made in it. */
async function turnsOf(
  peer: { readonly port: number; readonly pid: number },
  bare: string,
  names: readonly string[],
  seconds: number,
): Promise<readonly Turn[]> {
  const paths = names.flatMap((name) => [`/${bare}`, `/${name}`]);
  const { output } = await runWrk(peer.port, {
    path: paths[0],
    script: SCRIPT,
    arguments: [peer.pid, SETTLE, TURN, ...paths].map(String),
    connections: CONNECTIONS,
    seconds: seconds * paths.length,
    core: LOAD_CORE,
  });
  return readTurns(output, TURN).slice(paths.length);
}

/** What the load's script wrote. */
export function readTurns(output: string, requests: number): readonly Turn[] {
  return Array.from(output.matchAll(/^turn (\d+) (\d+)$/gm), ([, at, nanoseconds]) => ({
    at: Number(at),
    microsecondsPerRequest: Number(nanoseconds) / 1000 / requests,
  }));
}

/** For each of `lanes`, what its turns took more than the bare ones around them. One without both is left out. */
export function differencesIn(turns: readonly Turn[], lanes: number): readonly (readonly number[])[] {
  const differences = Array.from({ length: lanes }, (): number[] => []);
  for (let i = 1; i + 1 < turns.length; i++) {
    const lane = laneAt(turns[i].at);
    if (lane === 0) continue;
    const beside = (turns[i - 1].microsecondsPerRequest + turns[i + 1].microsecondsPerRequest) / 2;
    differences[lane - 1].push(turns[i].microsecondsPerRequest - beside);
  }
  return differences;
}
