import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import {
  createBundle,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  secretsOf,
} from '../../src/config/index.ts';
import type { EvaluationDeps, ListenerPlan } from '../../src/contract/index.ts';
import { RequestError } from '../../src/errors.ts';
import { Evaluation, viewOf } from '../../src/evaluator/index.ts';
import { parseRequestHead } from '../../src/http1/index.ts';
import { parseIpAddress } from '../../src/lib/ip-address.ts';
import { createSystemRandom, systemClock } from '../../src/lib/system.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { attachSharedCounters, createSharedCounters } from '../../src/state/index.ts';
import { filesFrom } from '../../test/fixtures/config.ts';
import { NOBODY_THERE } from '../../test/fixtures/nobody-there.ts';
import { pinned } from '../peers/peer.ts';
import { MEASURED_CORE } from './lanes.ts';
import { LIMITED, limitedDocument } from './limited-routes.ts';
import type { Row, RunOptions } from './scenario.ts';
import { median, type Spread, spreadOf } from './statistics.ts';

/** Requests of one turn: some milliseconds, so that a slow spell meets a route and the bare one beside it alike. */
const CALLS = 4_000;
/** Turns that are not counted: the code is compiled in them. */
const WARM_TURNS = 40;
/** Turns of each route for each of the rounds that were asked for. */
const TURNS_PER_ROUND = 20;
const BARE = 'unlimited';
/** Callers that take turns, so that no counter is always the last one used. */
const CALLERS = 256;

/**
 * What judging costs on each route of `LIMITED`, in nanoseconds of CPU time: one row each. In a process of its own, since
 * what other scenarios have run would change how this code is compiled.
 */
export async function judgeLimitsApart({ rounds }: RunOptions): Promise<readonly Row[]> {
  const [program, ...args] = pinned(MEASURED_CORE, [process.execPath, import.meta.filename, String(rounds)]);
  const { stdout } = await promisify(execFile)(program, args);
  return JSON.parse(stdout);
}

/** The same in this process. */
export async function judgeLimits(rounds: number): Promise<readonly Row[]> {
  const judge = await Judge.create();
  const names = Object.keys(LIMITED).filter((name) => name !== BARE);
  for (let turn = 0; turn < WARM_TURNS; turn++) for (const name of [BARE, ...names]) judge.run(name);
  const bare = [judge.run(BARE)];
  const rows = names.map((name) => ({ name, totals: [] as number[], differences: [] as number[] }));
  for (let turn = 0; turn < rounds * TURNS_PER_ROUND; turn++) {
    for (const { name, totals, differences } of rows) {
      const total = judge.run(name);
      const before = bare[bare.length - 1];
      const after = judge.run(BARE);
      totals.push(total);
      differences.push(total - (before + after) / 2);
      bare.push(after);
    }
  }
  return [
    { judged: BARE, ns: Math.round(median(bare)), 'over unlimited, ns': 0 },
    ...rows.map(({ name, totals, differences }) => rowOf(name, median(totals), spreadOf(differences))),
  ];
}

const rowOf = (name: string, ns: number, over: Spread): Row => ({
  judged: name,
  ns: Math.round(ns),
  'over unlimited, ns': Math.round(over.value),
  'of 95 in 100': `${Math.round(over.from)} to ${Math.round(over.to)}`,
});

class Judge {
  readonly #listener: ListenerPlan;
  readonly #deps: EvaluationDeps;
  readonly #peers = Array.from({ length: CALLERS }, (_, i) => parseIpAddress(`192.0.2.${i}`));

  private constructor(listener: ListenerPlan, deps: EvaluationDeps) {
    this.#listener = listener;
    this.#deps = deps;
  }

  static async create(): Promise<Judge> {
    const files = filesFrom({});
    const document = JSON.stringify(limitedDocument(8080, 'http://127.0.0.1:1', LIMITED));
    const { snapshot } = await createBundle(parseDocument(document, 'bench'), {
      catalog: new PolicyCatalog(POLICIES),
      cache: new PolicyCache(),
      files,
      secrets: secretsOf({}, files),
    });
    const random = createSystemRandom();
    const state = attachSharedCounters(createSharedCounters({ random }).memory);
    return new Judge(snapshot.listeners[0], { clock: systemClock, random, ...NOBODY_THERE, state });
  }

  /** Nanoseconds of CPU time for a request on a route. */
  run(route: string): number {
    const head = Buffer.from(`GET /${route} HTTP/1.1\r\nHost: api.bench.test\r\n\r\n`, 'latin1');
    const from = process.cpuUsage();
    for (let i = 0; i < CALLS; i++) this.#judge(head, i % CALLERS);
    const { user, system } = process.cpuUsage(from);
    return ((user + system) * 1000) / CALLS;
  }

  #judge(bytes: Buffer, caller: number): void {
    const listener = this.#listener;
    const peer = this.#peers[caller];
    const head = parseRequestHead(bytes, 0, bytes.length, listener.limits);
    if (head instanceof RequestError || peer === undefined) throw new Error('no request');
    const { method, target, headers, authority } = head;
    const source = { id: 'bench', method, scheme: 'http', authority, target, headers, peer } as const;
    const view = viewOf({ ...source, httpVersion: '1.1', certificate: undefined }, listener);
    if (view instanceof RequestError) throw new Error(view.reason);
    const verdict = new Evaluation(listener, view, this.#deps).runRequest();
    // No figure is of a refusal, and none of an answer that is waited for.
    if (verdict instanceof Promise || verdict.kind !== 'forward') throw new Error(`${target}: not let on`);
  }
}

if (import.meta.main) console.log(JSON.stringify(await judgeLimits(Number(process.argv[2]))));
