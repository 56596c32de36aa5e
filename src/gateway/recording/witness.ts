import type { RecordingPlan } from '../../contract/index.ts';
import {
  Recorder,
  type RecordingPlace,
  Redaction,
  recordLine,
  type Unredacted,
} from '../../recording/index.ts';
import type { EndedExchange } from '../recorder.ts';
import type { DataPlaneServices } from '../services.ts';
import type { Witness } from '../witness.ts';
import { callerKey } from './caller-key.ts';
import type { RecordingCounters } from './counters.ts';
import { decidedOutcome, groupOf, isRefused } from './decided.ts';
import { recordedBody } from './recorded-body.ts';

/** Where only a sample is kept, bodies are kept so far: what they would take is better spent on more requests. */
const SAMPLED_BODY_BYTES = 2048;

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});

/** Records what one worker serves, as far as the document says so. */
export class RecordingWitness implements Witness {
  readonly #services: DataPlaneServices;
  readonly #place: RecordingPlace;
  readonly #counters: RecordingCounters;
  readonly #redaction = new Redaction();
  /** Documents that have said where their callers' credentials are. */
  readonly #learnt = new WeakSet<RecordingPlan>();
  #plan: RecordingPlan | undefined = undefined;
  #recorder: Recorder | undefined = undefined;
  bodyBytes = 0;

  constructor(services: DataPlaneServices, counters: RecordingCounters, place: RecordingPlace) {
    this.#services = services;
    this.#counters = counters;
    this.#place = place;
  }

  /** Follows the document in service. Undefined: nothing is recorded. */
  configure(plan: RecordingPlan | undefined): void {
    const { witnesses } = this.#services;
    witnesses.remove(this);
    this.#plan = plan;
    if (plan === undefined) return this.#recorder?.tick();
    this.#recorder ??= this.#open(plan);
    this.#recorder.configure(plan);
    this.#learn(plan);
    this.bodyBytes = plan.bodyBytes;
    witnesses.add(this);
  }

  ended(exchange: EndedExchange): void {
    const recorder = this.#recorder;
    const plan = exchange.serving.snapshot.recording;
    const group = groupOf(exchange);
    const view = exchange.judged?.request ?? exchange.banned;
    if (recorder === undefined || plan === undefined || group === undefined || view === undefined) return;
    const stream = isRefused(exchange) ? 'refused' : 'passed';
    if (!recorder.offer(stream, group, callerKey(exchange.judged?.facts.identity, view.client))) return;
    try {
      const bodyBytes = recorder.isSampled(stream)
        ? Math.min(SAMPLED_BODY_BYTES, plan.bodyBytes)
        : plan.bodyBytes;
      this.#learn(plan);
      const request = this.#unredacted(exchange, bodyBytes);
      const record = this.#redaction.redact(request, exchange.judged?.route.params ?? NO_PARAMS);
      recorder.keep(record.atMs, recordLine(record));
    } catch (cause) {
      recorder.withdraw();
      throw cause;
    }
    this.#followSample();
  }

  /** Writes what it has kept so far. */
  async flush(): Promise<void> {
    await this.#recorder?.flush();
  }

  async close(): Promise<void> {
    this.#services.witnesses.remove(this);
    await this.#recorder?.close();
    this.#recorder = undefined;
  }

  #open(plan: RecordingPlan): Recorder {
    const { evaluation, log, random } = this.#services;
    const recorder = new Recorder(plan, {
      place: this.#place,
      clock: evaluation.clock,
      log,
      random: randomNumbers(Number.parseInt(random.hex(4), 16)),
      ...this.#counters,
      repeat: (work, everyMs) => {
        const timer = setInterval(work, everyMs).unref();
        return () => clearInterval(timer);
      },
    });
    recorder.onWindow = () => this.#followSample();
    return recorder;
  }

  /** Of bodies that would not be recorded nothing is kept while they pass by. */
  #followSample(): void {
    if (this.#plan === undefined) return;
    const isSampled = this.#recorder?.isSampled('passed') === true;
    const bodyBytes = isSampled ? Math.min(SAMPLED_BODY_BYTES, this.#plan.bodyBytes) : this.#plan.bodyBytes;
    if (bodyBytes === this.bodyBytes) return;
    this.bodyBytes = bodyBytes;
    this.#services.witnesses.changed();
  }

  /** A candidate's too, as soon as it judges. */
  #learn(plan: RecordingPlan): void {
    if (this.#learnt.has(plan)) return;
    this.#learnt.add(plan);
    this.#redaction.learn(plan.credentials);
  }

  #unredacted(exchange: EndedExchange, bodyBytes: number): Unredacted {
    const { host, head, judged, dispatch, serving, plan } = exchange;
    const { services } = host.home;
    const durationMs = rounded(services.now() - exchange.startedAtMs);
    const body = recordedBody(exchange, bodyBytes);
    if (body.kind === 'missing' && body.why === 'withheld') this.#counters.withheldBodies.add(1);
    const upstreamMs = dispatch?.upstreamMs;
    return {
      requestId: exchange.requestId,
      atMs: judged?.now ?? services.evaluation.clock.now() - durationMs,
      durationMs,
      revision: serving.revision,
      listener: plan.name,
      scheme: host.scheme,
      peer: host.peer.text,
      method: head.method,
      target: head.target,
      httpVersion: head.minor === 1 ? '1.1' : '1.0',
      headers: head.headers.flat,
      body,
      certificate: host.certificate,
      identity: judged?.facts.identity,
      outcome: decidedOutcome(exchange),
      decisions: judged?.entries ?? [],
      upstream: upstreamMs === undefined ? undefined : { status: exchange.status, ms: rounded(upstreamMs) },
    };
  }
}

/** Milliseconds to the microsecond. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** Numbers from 0 to 1 to choose by (xorshift, Marsaglia 2003); nobody gains by guessing them. */
function randomNumbers(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}
