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
import { LIMITED, limitedDocument } from './limited-routes.ts';
import type { Row, RunOptions } from './scenario.ts';
import { median } from './statistics.ts';

const CALLS = 20_000;
/** Rounds that are not counted: the code is compiled in them. */
const WARM_ROUNDS = 8;
/** Callers that take turns, so that no counter is always the last one used. */
const CALLERS = 256;

/** What judging costs on each route of `LIMITED`, in nanoseconds of CPU time in this process: one row each. */
export async function judgeLimits(options: RunOptions): Promise<readonly Row[]> {
  const judge = await Judge.create();
  const names = Object.keys(LIMITED);
  const figures = new Map(names.map((name): [string, number[]] => [name, []]));
  for (let round = 0; round < WARM_ROUNDS; round++) for (const name of names) judge.run(name);
  for (let round = 0; round < options.rounds * 4; round++)
    for (const name of names) figures.get(name)?.push(judge.run(name));
  const bare = figures.get('unlimited') ?? [];
  return names.map((name) => {
    const values = figures.get(name) ?? [];
    return {
      judged: name,
      ns: Math.round(median(values)),
      'over unlimited, ns': Math.round(median(values.map((ns, i) => ns - bare[i]))),
    };
  });
}

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
