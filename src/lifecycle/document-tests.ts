import type { DocumentTest } from '../config/index.ts';
import {
  type CounterState,
  type EvaluationDeps,
  type ListenerPlan,
  NEVER_BUSY,
  NOBODY_TOLD,
  type Secrets,
  type Snapshot,
} from '../contract/index.ts';
import {
  ConfigError,
  type ConfigIssue,
  ERRORS,
  InternalError,
  PolicyRejection,
  type RequestError,
} from '../errors.ts';
import { applyEdits, evaluate, type Judgement, type WholeRequest } from '../evaluator/index.ts';
import { fieldLines } from '../http1/index.ts';
import { parseDuration } from '../lib/duration.ts';
import { parseMoment } from '../lib/expiry.ts';
import { HeaderList } from '../lib/header-list.ts';
import { parseIpAddress } from '../lib/ip-address.ts';
import { OFFLINE } from '../outbound/index.ts';
import { CurrentBans } from '../state/index.ts';
import type { Coverage } from './coverage.ts';

/** What the tests of a document run with. */
export interface DocumentTestDeps {
  /** Empty counters: each test begins with its own. */
  readonly createState: () => CounterState;
  /** Resolves header values that are `env:NAME` or `file:PATH`. */
  readonly secrets: Secrets;
  /** The time of every test that says none, in milliseconds since the epoch. It stands still but for `after`. */
  readonly startMs: number;
  /** Told of every request that policies judged. */
  readonly coverage?: Coverage;
}

/** Something a test expected and did not find. */
export interface UnmetExpectation {
  /** Index of the step in `steps`; undefined for a test of one request. */
  readonly step: number | undefined;
  /** What was looked at, e.g. `status`. */
  readonly what: string;
  readonly expected: string;
  readonly got: string;
}

export interface DocumentTestResult {
  readonly name: string;
  /** Index in the document's `tests`. */
  readonly index: number;
  readonly unmet: readonly UnmetExpectation[];
  /** Id of the attachment that decided the last request, or why there is none. */
  readonly decidedBy: string;
}

type Step = Extract<DocumentTest, { steps: unknown }>['steps'][number];
/** What a test sends. */
export type TestRequest = Step['request'];
type Expectation = NonNullable<Step['expect']>;

/** What became of one request, in the words of `expect`. */
interface Observed {
  readonly forwarded: boolean;
  readonly status: number | undefined;
  readonly policy: string | undefined;
  readonly rule: string | undefined;
  readonly code: string | undefined;
  readonly route: string | undefined;
  /** Of the gateway's own answer. */
  readonly headers: HeaderList;
  readonly decidedBy: string;
}

/** Runs a document's tests through the evaluator that serves live traffic. Every test has its own counters. */
export async function runDocumentTests(
  snapshot: Snapshot,
  tests: readonly DocumentTest[],
  deps: DocumentTestDeps,
): Promise<readonly DocumentTestResult[]> {
  const results: DocumentTestResult[] = [];
  for (const [index, test] of tests.entries()) results.push(await runTest(snapshot, test, index, deps));
  return results;
}

/** The tests that failed, as issues of the document; empty when all held. */
export function testIssues(results: readonly DocumentTestResult[]): readonly ConfigIssue[] {
  return results.flatMap(({ name, index, unmet, decidedBy }) =>
    unmet.map(({ step, what, expected, got }) => ({
      path: step === undefined ? `tests[${index}]` : `tests[${index}].steps[${step}]`,
      message: `test "${name}": ${what} should be ${expected}, but is ${got} (${decidedBy})`,
    })),
  );
}

async function runTest(
  snapshot: Snapshot,
  test: DocumentTest,
  index: number,
  deps: DocumentTestDeps,
): Promise<DocumentTestResult> {
  const steps: readonly Step[] = 'steps' in test ? test.steps : [test];
  const clock = new TestClock((test.at === undefined ? undefined : parseMoment(test.at)) ?? deps.startMs);
  const state = deps.createState();
  // Emergencies are no part of a document: banned is whom its own policies ban.
  const bans = new CurrentBans({ protects: (address) => snapshot.listeners.some((l) => l.trusts(address)) });
  const world = { ...NOBODY_THERE, clock, random: PREDICTABLE, state, bans };
  const unmet: UnmetExpectation[] = [];
  let decidedBy = '';
  for (const [i, step] of steps.entries()) {
    clock.advance(parseDuration(step.after ?? '0s') ?? 0);
    const number = 'steps' in test ? i : undefined;
    try {
      const observed = await send(snapshot, step, world, deps);
      decidedBy = observed.decidedBy;
      for (const u of compare(step.expect ?? {}, observed)) unmet.push({ step: number, ...u });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      unmet.push({ step: number, what: 'the request', expected: 'sendable', got: error.message });
    }
  }
  return { name: test.name, index, unmet, decidedBy };
}

class TestClock {
  readonly #startMs: number;
  #nowMs: number;

  constructor(startMs: number) {
    this.#startMs = startMs;
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs - this.#startMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

const NOBODY_THERE = Object.freeze({
  network: OFFLINE,
  load: NEVER_BUSY,
  notices: NOBODY_TOLD,
});
const NO_FACTS = Object.freeze({ groups: [], scopes: [], claims: {} });
const PREDICTABLE = Object.freeze({ hex: (bytes: number) => '00'.repeat(bytes) });

async function send(
  snapshot: Snapshot,
  { request, answer }: Step,
  world: EvaluationDeps,
  { secrets, coverage }: DocumentTestDeps,
): Promise<Observed> {
  const listener = listenerOf(snapshot, request.listener);
  const peer = parseIpAddress(request.client ?? '192.0.2.1');
  if (peer === undefined) throw ConfigError.at('request.client', 'is not an IP address');
  const scheme = listener.tls === undefined ? 'http' : 'https';
  const message = messageOf(request, secrets);
  const caller = request.identity && { ...NO_FACTS, ...request.identity };
  let observed: Observed | undefined;
  for (let n = 0; n < (request.repeat ?? 1); n++) {
    const judgement = await evaluate(
      listener,
      { id: `test-${n + 1}`, scheme, peer, caller, upstreamStatus: answer?.status, ...message },
      world,
    );
    if (judgement.kind === 'judged') {
      const { route, entries } = judgement.evaluation;
      coverage?.note({ route: route.name, entries });
    }
    observed = judgement.kind === 'refused' ? refusedEarly(judgement.error) : observe(judgement);
  }
  if (observed === undefined) throw new InternalError('a test sends at least one request');
  return observed;
}

function listenerOf(snapshot: Snapshot, name: string | undefined): ListenerPlan {
  const found = name === undefined ? snapshot.listeners[0] : snapshot.listeners.find((l) => l.name === name);
  if (found === undefined) throw ConfigError.at('request.listener', 'no such listener');
  return found;
}

const REFERENCE = /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/;

/** The request as bytes, so that it is read as strictly as one that came in. */
function messageOf(request: TestRequest, secrets: Secrets): Pick<WholeRequest, 'head' | 'body'> {
  const headers = new HeaderList();
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    headers.append(name, REFERENCE.test(value) ? secrets.resolve(value) : value);
  }
  if (!headers.has('host')) headers.append('host', 'localhost');
  const { body: written, method = 'GET', path } = request;
  const body = Buffer.from(
    typeof written === 'string' || written === undefined ? (written ?? '') : JSON.stringify(written),
  );
  if (written !== undefined) {
    const isJson = typeof written !== 'string';
    if (isJson && !headers.has('content-type')) headers.append('content-type', 'application/json');
    if (!headers.has('content-length') && !headers.has('transfer-encoding'))
      headers.append('content-length', String(body.length));
  }
  const text = `${method} ${path} HTTP/1.1\r\n${fieldLines(headers.flat)}\r\n`;
  return { head: Buffer.from(text, 'latin1'), body };
}

function refusedEarly(error: RequestError | PolicyRejection): Observed {
  return {
    forwarded: false,
    status: error instanceof PolicyRejection ? error.status : ERRORS[error.code].status,
    policy: undefined,
    rule: undefined,
    code: error.code,
    route: undefined,
    headers: new HeaderList(),
    decidedBy: `the listener: ${error.reason ?? error.code}`,
  };
}

function observe({ verdict, evaluation }: Extract<Judgement, { kind: 'judged' }>): Observed {
  const route = evaluation.route.name === '' ? undefined : evaluation.route.name;
  if (verdict.kind === 'forward') {
    const nothing = { status: undefined, policy: undefined, rule: undefined, code: undefined };
    const headers = new HeaderList();
    return { ...nothing, forwarded: true, route, headers, decidedBy: `forwarded by route ${route}` };
  }
  const { by } = verdict;
  const answer = verdict.kind === 'reject' ? verdict.error : verdict.response;
  const headers = new HeaderList([...answer.headers]);
  applyEdits(headers, evaluation.edits.responseEdits);
  return {
    forwarded: false,
    status: answer.status,
    policy: by?.policy,
    rule: verdict.kind === 'reject' ? verdict.error.rule : undefined,
    code: verdict.kind === 'reject' ? verdict.error.code : undefined,
    route,
    headers,
    decidedBy: by?.id ?? (route === undefined ? 'the router' : 'the gateway itself'),
  };
}

function compare(expect: Expectation, observed: Observed): Omit<UnmetExpectation, 'step'>[] {
  const unmet: Omit<UnmetExpectation, 'step'>[] = [];
  const check = (what: string, expected: unknown, got: unknown): void => {
    if (expected === undefined || expected === got) return;
    unmet.push({ what, expected: wordOf(expected), got: wordOf(got) });
  };
  check('forwarded', expect.forwarded, observed.forwarded);
  if (expect.status !== undefined) {
    check('status', expect.status, observed.forwarded ? 'none: the request was forwarded' : observed.status);
  }
  check('policy', expect.policy, observed.policy);
  check('rule', expect.rule, observed.rule);
  check('code', expect.code, observed.code);
  check('route', expect.route, observed.route);
  for (const [name, value] of Object.entries(expect.headers ?? {})) {
    check(`header ${name}`, value, observed.headers.get(name.toLowerCase()));
  }
  return unmet;
}

function wordOf(value: unknown): string {
  return value === undefined ? 'nothing' : String(value);
}
