import {
  type Attachment,
  type Awaitable,
  type BodyView,
  type ChunkDecision,
  CONTINUE,
  type Decision,
  type DecisionEntry,
  type EvaluationDeps,
  type FactKey,
  type Facts,
  type Identity,
  type ListenerPlan,
  type LocalResponse,
  type Phase,
  type Pipeline,
  type PolicyContext,
  type RequestEnd,
  type RequestView,
  type ResponseHead,
  type RouteContext,
  type RouteMatch,
  type RoutePlan,
} from '../contract/index.ts';
import { InternalError, PolicyFailure, PolicyRejection } from '../errors.ts';
import { type CallerProof, PROVED, vouchFor } from './caller-proof.ts';
import { Endings } from './endings.ts';
import { checkFields, Journal } from './journal.ts';
import { ShadowContext } from './shadow-context.ts';
import { preflightMethod, refusalWithoutRoute } from './unrouted.ts';

/** The sum of the decisions of one phase. `by` is undefined where the gateway itself says so (no route). */
export type Verdict =
  | { readonly kind: 'forward' }
  | { readonly kind: 'reject'; readonly error: PolicyRejection; readonly by: Attachment | undefined }
  | { readonly kind: 'respond'; readonly response: LocalResponse; readonly by: Attachment | undefined };

/** A phase with what its policies are given. */
type Step =
  | { readonly phase: 'request' }
  | { readonly phase: 'requestBody'; readonly body: BodyView }
  | { readonly phase: 'response'; readonly head: ResponseHead };

const REQUEST_STEP: Step = Object.freeze({ phase: 'request' });
const NO_FACTS: Readonly<Facts> = Object.freeze({ identity: undefined });
const NO_NAMES: readonly string[] = Object.freeze([]);
const NO_ENTRIES: readonly DecisionEntry[] = Object.freeze([]);
const FORWARD: Verdict = Object.freeze({ kind: 'forward' });
/** `OPTIONS *` asks about the server itself (RFC 9110 §9.3.7): it is here, and that is all it says. */
const SERVER_OPTIONS: Verdict = Object.freeze({
  kind: 'respond',
  response: { status: 204, headers: [], body: '' },
  by: undefined,
});
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
  /** As this request asks it: it waits for the counters no longer than once. */
  deps: EvaluationDeps;
  /** Replaced, never changed, so that a failing policy's can be taken back. */
  facts: Readonly<Facts> = NO_FACTS;
  readonly edits: Journal = new Journal();
  readonly shadow = false;
  readonly pipeline: Pipeline;
  /** What the router said where no route takes the request itself, be it a preflight for one that would. */
  readonly #unrouted: RouteMatch | undefined;
  readonly #caller: CallerProof | undefined;
  /** Attachments in whose place was said who calls. */
  #vouched: Set<Attachment> | undefined = undefined;
  /** As everybody asks it. */
  readonly #asked: EvaluationDeps;
  #entries: DecisionEntry[] | undefined = undefined;
  #shadow: ShadowContext | undefined = undefined;
  /** The policy that the request is for; nobody else judges it. */
  #taker: Attachment | undefined = undefined;
  /** Where edits and facts stood before the attachment now asked. */
  #editsBefore = 0;
  #factsBefore: Readonly<Facts> = NO_FACTS;
  #shadowFactsBefore: ShadowContext['own'] | undefined = undefined;
  #skipped: Set<Attachment> | undefined = undefined;
  #endings: Endings | undefined = undefined;
  #current: Attachment | undefined = undefined;
  /** Whether an attachment was waited for: it may still be under way when the request ends. */
  #hasWaited = false;

  /**
   * `caller`: who calls, where that is known without a credential (a test's, a recording's): policies that would prove
   * it are not asked, or as the proof says.
   */
  constructor(
    listener: ListenerPlan,
    request: RequestView,
    deps: EvaluationDeps,
    caller?: Identity | CallerProof,
  ) {
    this.#caller = caller === undefined || 'ask' in caller ? caller : vouchFor(caller);
    this.listener = listener;
    this.request = request;
    this.#asked = deps;
    this.deps = patientFor(deps);
    this.now = deps.clock.now();
    const { router } = listener;
    let match = router.match(request.host, request.path, request.method, request.headers);
    this.#unrouted = match.kind === 'found' ? undefined : match;
    const asked = match.kind === 'method-not-allowed' ? preflightMethod(request) : undefined;
    if (asked !== undefined) match = router.match(request.host, request.path, asked, request.headers);
    this.match = match;
    this.pipeline = match.kind === 'found' ? match.route.pipeline : listener.pipeline;
    this.route = {
      name: match.kind === 'found' ? match.route.name : '',
      listener: listener.name,
      priority: match.kind === 'found' ? match.route.priority : 'normal',
      params: match.kind === 'found' ? match.params : NO_PARAMS,
    };
  }

  /** Every attachment's part so far, in order. */
  get entries(): readonly DecisionEntry[] {
    return this.#entries ?? NO_ENTRIES;
  }

  /** The route's plan; asked only after a `forward`. */
  get plan(): RoutePlan {
    if (this.match.kind !== 'found') throw new InternalError('a request without a route has no plan');
    return this.match.route;
  }

  provide<K extends FactKey>(key: K, value: Facts[K]): void {
    this.facts = { ...this.facts, [key]: value };
  }

  onEnd(work: (end: RequestEnd) => Awaitable<void>): void {
    this.#endings ??= new Endings();
    this.#endings.add(work, this.#current);
  }

  /** Who is asked now, or was last; once the request has ended, whose work for its end is being done. */
  get asked(): Attachment | undefined {
    return this.#endings?.doing ?? this.#current;
  }

  /** Whether somebody wants to be told when the request has ended. */
  get awaitsEnd(): boolean {
    return this.#endings !== undefined || this.#hasWaited;
  }

  /**
   * The request has ended: whoever waits for that is told. To be called once. `onDefect` is told of what failed, and the
   * promise, where there is one, resolves when all is done.
   */
  end(end: Omit<RequestEnd, 'decisions'>, onDefect: (cause: unknown) => void): Awaitable<void> {
    // Policies that are still asked may yet say that they wait for it.
    this.#endings ??= this.#hasWaited ? new Endings() : undefined;
    // Nobody waits for it: what the request waited for already is no reason not to ask.
    if (this.#endings !== undefined) this.deps = patientFor(this.#asked);
    // Not copied: who replays a request is told of what is asked of its end.
    if (this.#endings === undefined) return undefined;
    // The list itself, even if it is still empty: who answers late adds to it.
    this.#entries ??= [];
    return this.#endings.end(Object.assign(end, { decisions: this.#entries }), onDefect);
  }

  /** Phase 1: the head is known. Ends in a refusal where no route takes the request. */
  runRequest(): Awaitable<Verdict> {
    const verdict = this.#run(this.pipeline.request, 0, REQUEST_STEP);
    return verdict instanceof Promise ? verdict.then((v) => this.#routed(v)) : this.#routed(verdict);
  }

  /** Whether a policy has to see the whole body of this request. Asked after the request phase. */
  get buffersBody(): boolean {
    if (this.#taker !== undefined) return true;
    if (!this.pipeline.buffersBody) return false;
    return this.pipeline.requestBody.some((a) => this.#wantsBody(a));
  }

  /** Of those that decide, the first that has to see the body. Asked after the request phase. */
  get bodyReader(): Attachment | undefined {
    if (this.#taker !== undefined) return this.#taker;
    if (!this.pipeline.buffersBody) return undefined;
    return this.pipeline.requestBody.find((a) => a.mode === 'enforce' && this.#wantsBody(a));
  }

  #wantsBody(a: Attachment): boolean {
    if (a.body !== 'buffer' || this.#isVouchedFor(a) || this.#skipped?.has(a)) return false;
    return a.instance.wantsBody?.(this.#contextOf(a)) ?? true;
  }

  /** One that has nothing to say of a head proves nothing there either. */
  #isVouchedFor(a: Attachment): boolean {
    if (this.#caller === undefined || !a.authenticates) return false;
    return a.instance.request === undefined || this.#vouched?.has(a) === true;
  }

  /** Phase 2, only where `buffersBody` says so. */
  runRequestBody(body: BodyView): Awaitable<Verdict> {
    const step: Step = { phase: 'requestBody', body };
    const taker = this.#taker;
    if (taker === undefined) return this.#run(this.pipeline.requestBody, 0, step);
    const verdict = this.#run([taker], 0, step);
    return verdict instanceof Promise ? verdict.then((v) => answerOf(taker, v)) : answerOf(taker, verdict);
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
    return current === bytes ? CONTINUE : { kind: 'replace', bytes: current };
  }

  #routed(verdict: Verdict): Verdict {
    if (verdict.kind !== 'forward' || this.#taker !== undefined) return verdict;
    if (this.#unrouted === undefined) return FORWARD;
    if (this.request.path === '*') return SERVER_OPTIONS;
    return { kind: 'reject', error: refusalWithoutRoute(this.#unrouted), by: undefined };
  }

  #run(list: readonly Attachment[], from: number, step: Step): Awaitable<Verdict> {
    for (let i = from; i < list.length; i++) {
      const attachment = list[i];
      let verdict: Verdict | undefined;
      this.#current = attachment;
      this.#remember();
      try {
        const decision = this.#ask(attachment, step);
        if (decision instanceof Promise) {
          this.#hasWaited = true;
          return this.#resume(list, i, step, decision);
        }
        verdict = decision === 'skipped' ? undefined : this.#settle(attachment, step.phase, decision);
      } catch (cause) {
        verdict = this.#failed(attachment, step.phase, cause);
      }
      if (verdict !== undefined) return verdict;
    }
    return FORWARD;
  }

  async #resume(
    list: readonly Attachment[],
    at: number,
    step: Step,
    pending: Promise<Decision | undefined>,
  ): Promise<Verdict> {
    let verdict: Verdict | undefined;
    try {
      verdict = this.#settle(list[at], step.phase, await pending);
    } catch (cause) {
      verdict = this.#failed(list[at], step.phase, cause);
    }
    return verdict ?? this.#run(list, at + 1, step);
  }

  #remember(): void {
    this.#editsBefore = this.edits.mark();
    this.#factsBefore = this.facts;
    this.#shadowFactsBefore = this.#shadow?.own;
  }

  /** Calls one attachment, unless its `when` says it does not apply. */
  #ask(a: Attachment, step: Step): Awaitable<Decision | undefined> | 'skipped' {
    const context = this.#contextOf(a);
    if (a.when !== undefined && this.#isSkipped(a, context)) return 'skipped';
    const { instance } = a;
    if (this.#isVouchedFor(a)) return CONTINUE;
    if (step.phase === 'request') {
      return this.#caller !== undefined && a.authenticates
        ? this.#askForProof(a, context, this.#caller)
        : instance.request?.(context);
    }
    if (step.phase === 'requestBody') return instance.requestBody?.(context, step.body);
    return instance.response?.(context, step.head);
  }

  #askForProof(a: Attachment, context: PolicyContext, caller: CallerProof): Awaitable<Decision | undefined> {
    const decision = caller.ask(a, context);
    return decision instanceof Promise
      ? decision.then((later) => this.#heardOf(a, later))
      : this.#heardOf(a, decision);
  }

  #heardOf(a: Attachment, decision: Decision | undefined): Decision | undefined {
    if (decision !== PROVED) return decision;
    this.#vouched ??= new Set();
    this.#vouched.add(a);
    return CONTINUE;
  }

  /** `when` is asked once per request: a policy with two phases must not be half applied. */
  #isSkipped(a: Attachment, context: PolicyContext): boolean {
    if (this.#skipped?.has(a)) return true;
    if (a.when === undefined || this.entries.some((entry) => entry.attachment === a.id)) return false;
    try {
      if (a.when(context)) return false;
    } catch (cause) {
      this.#skip(a);
      throw cause;
    }
    this.#skip(a);
    this.#note(a.skipped);
    return true;
  }

  /** A list that begins with its first entry: to add one to an empty list costs as much as a counter. */
  #note(entry: DecisionEntry): void {
    if (this.#entries === undefined) this.#entries = [entry];
    else this.#entries.push(entry);
  }

  #skip(a: Attachment): void {
    this.#skipped ??= new Set();
    this.#skipped.add(a);
  }

  #settle(a: Attachment, phase: Phase, decision: Decision | undefined): Verdict | undefined {
    if (decision?.kind === 'continue') {
      const { rule } = decision;
      this.#note(rule === undefined ? a.continued[phase] : { ...a.continued[phase], rule });
      return undefined;
    }
    if (decision?.kind === 'take' && phase === 'request') {
      this.#note(a.continued[phase]);
      if (a.mode !== 'enforce') return undefined;
      this.#taker = a;
      return FORWARD;
    }
    if (decision?.kind === 'respond') {
      checkFields(decision.response.headers);
      this.#note({ attachment: a.id, policy: a.policy, mode: a.mode, phase, outcome: 'respond' });
      return a.mode === 'enforce' ? { kind: 'respond', response: decision.response, by: a } : undefined;
    }
    if (decision?.kind !== 'reject') throw new InternalError(`${a.policy} returned no decision`);
    checkFields(decision.error.headers);
    this.#note(rejectedEntry(a, phase, decision.error));
    return a.mode === 'enforce' ? { kind: 'reject', error: decision.error, by: a } : undefined;
  }

  /**
   * A policy that throws could not decide: refused unless its attachment says otherwise. What one that broke had asked
   * is taken back; one that says why it cannot decide has asked only what stands without it.
   */
  #failed(a: Attachment, phase: Phase, cause: unknown): Verdict | undefined {
    const told = cause instanceof PolicyFailure ? cause.rejection : undefined;
    if (told === undefined) this.edits.rewind(this.#editsBefore);
    this.facts = this.#factsBefore;
    if (this.#shadow !== undefined) this.#shadow.forget(this.#shadowFactsBefore);
    const reason = cause instanceof Error ? cause.message : String(cause);
    const { id: attachment, policy, mode } = a;
    const code = told?.code ?? 'policy-failed';
    this.#note({ attachment, policy, mode, phase, outcome: 'error', code, reason });
    if (mode !== 'enforce') return undefined;
    if (a.onError !== 'continue') return { kind: 'reject', error: told ?? brokenPolicy(reason), by: a };
    // It has nothing to say to the upstream, and a client must not say it in its place.
    for (const name of a.instance.vouchesFor ?? NO_NAMES) this.edits.removeRequestHeader(name);
    return undefined;
  }

  async #chunk(a: Attachment, bytes: Uint8Array): Promise<ChunkDecision> {
    const context = this.#contextOf(a);
    this.#remember();
    try {
      if (this.#skipped?.has(a) || (a.when !== undefined && this.#isSkipped(a, context))) return CONTINUE;
      const decision = await a.instance.responseChunk?.(context, bytes);
      if (decision === undefined) throw new InternalError(`${a.policy} returned no decision`);
      if (decision.kind !== 'abort') return decision;
      this.#note(rejectedEntry(a, 'responseChunk', decision.error));
      // Enforced, the answer would have ended here: one entry, however long the stream goes on.
      this.#skip(a);
      return decision;
    } catch (cause) {
      return this.#chunkFailed(a, cause);
    }
  }

  /** A stream may fail a policy with every piece; its record has room for the first. */
  #chunkFailed(a: Attachment, cause: unknown): ChunkDecision {
    const { length } = this.entries;
    const seen = this.entries.some((e) => e.attachment === a.id && e.phase === 'responseChunk');
    const verdict = this.#failed(a, 'responseChunk', cause);
    if (seen && this.#entries !== undefined) this.#entries.length = length;
    return verdict?.kind === 'reject' ? { kind: 'abort', error: verdict.error } : CONTINUE;
  }

  #contextOf(a: Attachment): PolicyContext {
    return a.mode === 'enforce' ? this : this.#shadowContext();
  }

  #shadowContext(): ShadowContext {
    this.#shadow ??= new ShadowContext(this);
    return this.#shadow;
  }
}

/** With the patience of one request. */
const patientFor = (deps: EvaluationDeps): EvaluationDeps =>
  deps.state.ofRequest === undefined ? deps : { ...deps, state: deps.state.ofRequest() };

const brokenPolicy = (reason: string): PolicyRejection =>
  new PolicyRejection('policy-failed', 'A policy could not decide, so the request is refused.', { reason });

/** What was taken does not go on, whatever `onError` says of a failure. */
function answerOf(taker: Attachment, verdict: Verdict): Verdict {
  if (verdict.kind !== 'forward') return verdict;
  const error = brokenPolicy(`${taker.policy} took the request and has no answer to it`);
  return { kind: 'reject', error, by: taker };
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
