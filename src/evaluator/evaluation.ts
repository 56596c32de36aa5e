import type {
  Attachment,
  Awaitable,
  BodyView,
  ChunkDecision,
  Decision,
  DecisionEntry,
  EvaluationDeps,
  FactKey,
  Facts,
  ListenerPlan,
  LocalResponse,
  Phase,
  Pipeline,
  PolicyContext,
  RequestView,
  ResponseHead,
  RouteContext,
  RouteMatch,
  RoutePlan,
} from '../contract/index.ts';
import { InternalError, PolicyRejection } from '../errors.ts';
import { Journal } from './journal.ts';

/** The sum of the decisions of one phase. `by` is undefined when the gateway itself refused (no route). */
export type Verdict =
  | { readonly kind: 'forward' }
  | { readonly kind: 'reject'; readonly error: PolicyRejection; readonly by: Attachment | undefined }
  | { readonly kind: 'respond'; readonly response: LocalResponse; readonly by: Attachment };

/** A phase with what its policies are given. */
type Step =
  | { readonly phase: 'request' }
  | { readonly phase: 'requestBody'; readonly body: BodyView }
  | { readonly phase: 'response'; readonly head: ResponseHead };

const REQUEST_STEP: Step = Object.freeze({ phase: 'request' });
const FORWARD: Verdict = Object.freeze({ kind: 'forward' });
const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/**
 * One request judged by one snapshot: the only evaluator there is. It has no side effects of its own; what it
 * needs of the world comes in through `deps`, so live traffic, tests, replay and explain give the same decisions.
 * Values are returned synchronously as long as every policy does; only a promise is awaited.
 */
export class Evaluation implements PolicyContext {
  readonly request: RequestView;
  readonly listener: ListenerPlan;
  readonly match: RouteMatch;
  readonly route: RouteContext;
  readonly now: number;
  readonly deps: EvaluationDeps;
  readonly facts: Facts = { identity: undefined };
  readonly edits: Journal = new Journal();
  /** Every attachment's part so far, in order. */
  readonly entries: DecisionEntry[] = [];
  readonly pipeline: Pipeline;
  readonly #preflightOnly: boolean;
  #shadow: ShadowContext | undefined = undefined;
  #skipped: Set<Attachment> | undefined = undefined;

  constructor(listener: ListenerPlan, request: RequestView, deps: EvaluationDeps) {
    this.listener = listener;
    this.request = request;
    this.deps = deps;
    this.now = deps.clock.now();
    const { router } = listener;
    let match = router.match(request.host, request.path, request.method, request.headers);
    const asked = match.kind === 'method-not-allowed' ? preflightMethod(request) : undefined;
    if (asked !== undefined) match = router.match(request.host, request.path, asked, request.headers);
    this.#preflightOnly = asked !== undefined;
    this.match = match;
    this.pipeline = match.kind === 'found' ? match.route.pipeline : listener.pipeline;
    this.route = {
      name: match.kind === 'found' ? match.route.name : '',
      listener: listener.name,
      params: match.kind === 'found' ? match.params : NO_PARAMS,
    };
  }

  /** The route's plan; asked only after a `forward`. */
  get plan(): RoutePlan {
    if (this.match.kind !== 'found') throw new InternalError('a request without a route has no plan');
    return this.match.route;
  }

  provide<K extends FactKey>(key: K, value: Facts[K]): void {
    this.facts[key] = value;
  }

  /** Phase 1: the head is known. Ends in a refusal where no route takes the request. */
  runRequest(): Awaitable<Verdict> {
    const verdict = this.#run(this.pipeline.request, 0, REQUEST_STEP);
    return verdict instanceof Promise ? verdict.then((v) => this.#routed(v)) : this.#routed(verdict);
  }

  /** Phase 2, only where `pipeline.requestBody` has attachments. */
  runRequestBody(body: BodyView): Awaitable<Verdict> {
    return this.#run(this.pipeline.requestBody, 0, { phase: 'requestBody', body });
  }

  /** Phase 3: the upstream's head is known. */
  runResponse(head: ResponseHead): Awaitable<Verdict> {
    return this.#run(this.pipeline.response, 0, { phase: 'response', head });
  }

  /** Phase 4, for each piece of a streamed answer: the piece as it may go on, or why it may not. */
  async runResponseChunk(bytes: Uint8Array): Promise<ChunkDecision> {
    let current = bytes;
    for (const attachment of this.pipeline.responseChunk) {
      const decision = await this.#chunk(attachment, current);
      if (attachment.mode !== 'enforce') continue;
      if (decision.kind === 'abort') return decision;
      if (decision.kind === 'replace') current = decision.bytes;
    }
    return current === bytes ? { kind: 'continue' } : { kind: 'replace', bytes: current };
  }

  #routed(verdict: Verdict): Verdict {
    if (verdict.kind !== 'forward') return verdict;
    if (this.match.kind === 'found' && !this.#preflightOnly) return FORWARD;
    return { kind: 'reject', error: refusalWithoutRoute(this.match), by: undefined };
  }

  #run(list: readonly Attachment[], from: number, step: Step): Awaitable<Verdict> {
    for (let i = from; i < list.length; i++) {
      const attachment = list[i];
      const mark = this.edits.mark();
      let verdict: Verdict | undefined;
      try {
        const decision = this.#ask(attachment, step);
        if (decision instanceof Promise) return this.#resume(list, i, step, decision, mark);
        verdict = decision === undefined ? undefined : this.#settle(attachment, step.phase, decision);
      } catch (cause) {
        verdict = this.#failed(attachment, step.phase, cause, mark);
      }
      if (verdict !== undefined) return verdict;
    }
    return FORWARD;
  }

  async #resume(
    list: readonly Attachment[],
    at: number,
    step: Step,
    pending: Promise<Decision>,
    mark: number,
  ): Promise<Verdict> {
    let verdict: Verdict | undefined;
    try {
      verdict = this.#settle(list[at], step.phase, await pending);
    } catch (cause) {
      verdict = this.#failed(list[at], step.phase, cause, mark);
    }
    return verdict ?? this.#run(list, at + 1, step);
  }

  /** Calls one attachment; undefined when its `when` says it does not apply. */
  #ask(a: Attachment, step: Step): Awaitable<Decision> | undefined {
    const context: PolicyContext = a.mode === 'enforce' ? this : this.#shadowContext();
    if (a.when !== undefined && this.#isSkipped(a, context)) return undefined;
    const { instance } = a;
    if (step.phase === 'request') return instance.request?.(context);
    if (step.phase === 'requestBody') return instance.requestBody?.(context, step.body);
    return instance.response?.(context, step.head);
  }

  /** `when` is asked once per request: a policy with two phases must not be half applied. */
  #isSkipped(a: Attachment, context: PolicyContext): boolean {
    if (this.#skipped?.has(a)) return true;
    if (a.when === undefined || this.entries.some((entry) => entry.attachment === a.id)) return false;
    if (a.when(context)) return false;
    this.#skipped ??= new Set();
    this.#skipped.add(a);
    this.entries.push(a.skipped);
    return true;
  }

  #settle(a: Attachment, phase: Phase, decision: Decision): Verdict | undefined {
    if (decision.kind === 'continue') {
      this.entries.push(a.continued[phase]);
      return undefined;
    }
    if (decision.kind === 'respond') {
      this.entries.push({ attachment: a.id, policy: a.policy, mode: a.mode, phase, outcome: 'respond' });
      return a.mode === 'enforce' ? { kind: 'respond', response: decision.response, by: a } : undefined;
    }
    if (decision.kind !== 'reject') throw new InternalError(`${a.policy} returned no decision`);
    this.entries.push(rejectedEntry(a, phase, decision.error));
    return a.mode === 'enforce' ? { kind: 'reject', error: decision.error, by: a } : undefined;
  }

  /** A policy that throws could not decide: refused unless its attachment says otherwise; its edits are taken back. */
  #failed(a: Attachment, phase: Phase, cause: unknown, mark: number): Verdict | undefined {
    if (a.mode === 'enforce') this.edits.rewind(mark);
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.entries.push({
      attachment: a.id,
      policy: a.policy,
      mode: a.mode,
      phase,
      outcome: 'error',
      code: 'policy-failed',
      reason,
    });
    if (a.mode !== 'enforce' || a.onError === 'continue') return undefined;
    const error = new PolicyRejection(
      'policy-failed',
      'A policy could not decide, so the request is refused.',
      {
        reason,
      },
    );
    return { kind: 'reject', error, by: a };
  }

  async #chunk(a: Attachment, bytes: Uint8Array): Promise<ChunkDecision> {
    const context: PolicyContext = a.mode === 'enforce' ? this : this.#shadowContext();
    try {
      if (a.when !== undefined && this.#isSkipped(a, context)) return { kind: 'continue' };
      const decision = (await a.instance.responseChunk?.(context, bytes)) ?? { kind: 'continue' };
      if (decision.kind === 'abort') this.entries.push(rejectedEntry(a, 'responseChunk', decision.error));
      return decision;
    } catch (cause) {
      const verdict = this.#failed(a, 'responseChunk', cause, this.edits.mark());
      return verdict?.kind === 'reject' ? { kind: 'abort', error: verdict.error } : { kind: 'continue' };
    }
  }

  #shadowContext(): ShadowContext {
    this.#shadow ??= new ShadowContext(this);
    return this.#shadow;
  }
}

/** What an attachment in shadow sees: the live request, and the facts other shadow attachments would have given. */
class ShadowContext implements PolicyContext {
  readonly #live: Evaluation;
  readonly #own: Partial<Facts> = {};
  /** Never applied. */
  readonly edits: Journal = new Journal();

  constructor(live: Evaluation) {
    this.#live = live;
  }

  get request(): RequestView {
    return this.#live.request;
  }

  get route(): RouteContext {
    return this.#live.route;
  }

  get now(): number {
    return this.#live.now;
  }

  get deps(): EvaluationDeps {
    return this.#live.deps;
  }

  get facts(): Readonly<Facts> {
    return { ...this.#live.facts, ...this.#own };
  }

  provide<K extends FactKey>(key: K, value: Facts[K]): void {
    this.#own[key] = value;
  }
}

function rejectedEntry(a: Attachment, phase: Phase, error: PolicyRejection): DecisionEntry {
  return {
    attachment: a.id,
    policy: a.policy,
    mode: a.mode,
    phase,
    outcome: 'reject',
    code: error.code,
    ...(error.rule === undefined ? {} : { rule: error.rule }),
    reason: error.reason ?? error.detail,
  };
}

/** The method a CORS preflight asks about (Fetch standard §3.2.2), so that the route's own `cors` can answer it. */
function preflightMethod(request: RequestView): string | undefined {
  if (request.method !== 'OPTIONS' || !request.headers.has('origin')) return undefined;
  return request.headers.get('access-control-request-method');
}

function refusalWithoutRoute(match: RouteMatch): PolicyRejection {
  if (match.kind !== 'method-not-allowed')
    return new PolicyRejection('no-route', 'No route matches this request.');
  const allow = match.allow.join(', ');
  return new PolicyRejection('method-not-allowed', `This resource takes ${allow}.`, {
    headers: ['Allow', allow],
  });
}
