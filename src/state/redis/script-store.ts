import type { Clock, Counter, Gauge, Logger, Meter, Random } from '../../contract/index.ts';
import { backoffMs, Circuit } from './circuit.ts';
import type { StoreClient } from './client.ts';
import { SLOTS, slotOf } from './cluster-slot.ts';
import { Patience } from './patience.ts';
import { PROBE, type Script } from './scripts.ts';
import { tagOf } from './store-names.ts';
import { type StoreSettings, storeAddressText } from './store-settings.ts';
import { WaitingAnswers } from './waiting-answers.ts';

export type StoreWord = string | number;
/** What a script answers with. */
export type StoreAnswer = unknown;

/**
 * Who waits for an answer: a request with what patience it has left; default is somebody with the whole of the settings'
 * timeout. `nobody`: who asks goes on meanwhile.
 */
export type AskedBy = Patience | 'nobody';

/** Runs scripts in the store, none longer than the settings' timeout. */
export interface ScriptStore {
  /** Whether keys of different tags are to be asked for apart. */
  readonly isCluster: boolean;
  /**
   * What the script answers, or undefined where the store does not in time. Undefined at once, without a promise, while
   * the store is known to be lost and where nobody is to wait: it owes an answer already, or the patience is at its end.
   * Never rejects. The keys lie in one slot.
   */
  ask(
    script: Script,
    keys: readonly string[],
    words: readonly StoreWord[],
    by?: AskedBy,
  ): Promise<StoreAnswer | undefined> | undefined;
}

export interface StoreTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: Meter;
  readonly log: Logger;
}

type Failure = 'timeout' | 'connection' | 'reply';

/** A part of the store that is lost and found by itself: on a cluster the rest may count on without it. */
interface Part {
  readonly circuit: Circuit;
  /** A key of it, by which it is probed. */
  key: string;
  probes: number;
  timer: NodeJS.Timeout | undefined;
}

/** A sixteenth of a cluster's slots each: no finer, since all of a lost part are asked in vain some times. */
const CLUSTER_PARTS = 16;
const FIRST_PROBE_MS = 50;
const LONGEST_PROBE_MS = 500;
/** A connection on which a probe is not answered in this time is made anew: it may lead to a host that is gone. */
const PROBE_TIMEOUT_MS = 500;

/** Who has less patience left, in milliseconds, does not ask. */
const LEAST_PATIENCE_MS = 1;

/** The store as one thread asks it. */
export class LiveScriptStore implements ScriptStore {
  readonly isCluster: boolean;
  readonly #client: StoreClient;
  readonly #tools: StoreTools;
  readonly #address: string;
  readonly #timeoutMs: number;
  readonly #answers: WaitingAnswers;
  readonly #probes: WaitingAnswers;
  readonly #parts: readonly Part[];
  readonly #up: Gauge;
  readonly #errors: Readonly<Record<Failure, Counter>>;
  /** Of the failure before, for the log. */
  #cause = '';
  #isToldLost = false;
  #isClosed = false;

  /** Called when all of the store answers again. */
  onFound: () => void = () => {};
  #onFirst: () => void = () => {};

  constructor(client: StoreClient, settings: StoreSettings, tools: StoreTools) {
    this.#client = client;
    this.#tools = tools;
    this.#address = storeAddressText(settings);
    this.#timeoutMs = settings.timeoutMs;
    this.isCluster = settings.kind === 'cluster';
    this.#answers = new WaitingAnswers(tools.clock, settings.timeoutMs);
    this.#probes = new WaitingAnswers(tools.clock, Math.max(PROBE_TIMEOUT_MS, settings.timeoutMs));
    this.#parts = Array.from({ length: this.isCluster ? CLUSTER_PARTS : 1 }, (_, part) =>
      newPart(settings.prefix, part),
    );
    this.#up = tools.meter.gauge('sallyport_state_up');
    const errors = (kind: Failure) => tools.meter.counter('sallyport_state_errors_total', { kind });
    this.#errors = {
      timeout: errors('timeout'),
      connection: errors('connection'),
      reply: errors('reply'),
    };
    this.#up.set(1);
    client.on('error', (error: Error) => {
      this.#cause = error.message;
    });
    client.on('close', () => this.#onClose());
    client.on('ready', () => this.#onReady());
  }

  get isUp(): boolean {
    return this.#parts.every(({ circuit }) => !circuit.isLost);
  }

  ask(script: Script, keys: readonly string[], words: readonly StoreWord[], by?: AskedBy) {
    const part = this.#partOf(keys[0]);
    if (part.circuit.isLost || (part.circuit.isDoubtful && by !== 'nobody')) return undefined;
    const patience = by === 'nobody' ? undefined : by;
    const leftMs = patience?.left(this.#answers.waitedMs) ?? this.#timeoutMs;
    if (leftMs < LEAST_PATIENCE_MS) return undefined;
    return new Promise<StoreAnswer | undefined>((resolve) => {
      const end = (answer: StoreAnswer | undefined) => {
        patience?.end(this.#answers.waitedMs);
        resolve(answer);
      };
      const isInTime = this.#answers.add((why) => {
        end(undefined);
        if (why === 'connection') return this.#failed(part, keys[0], why, this.#cause);
        this.#errors.timeout.add(1);
        // That a request had no patience left for it says nothing of the store.
        if (leftMs >= this.#timeoutMs) this.#missed(part, keys[0]);
      }, leftMs);
      patience?.begin(this.#answers.waitedMs);
      this.#run(script, keys, words).then(
        (answer) => {
          if (!isInTime()) return part.circuit.heard();
          part.circuit.answered();
          end(answer);
        },
        (error: Error) => {
          const kind = kindOf(error);
          if (!isInTime()) return kind === 'reply' ? part.circuit.heard() : undefined;
          end(undefined);
          this.#failed(part, keys[0], kind, error.message);
        },
      );
    });
  }

  /** As one request asks it: for all its questions it waits no longer than for one. */
  ofRequest(): ScriptStore {
    const patience = new Patience(this.#timeoutMs);
    return {
      isCluster: this.isCluster,
      ask: (script, keys, words, by = patience) => this.ask(script, keys, words, by),
    };
  }

  /** Resolves when the store can be asked, or is known to be lost; after `mostMs` at the latest. */
  firstAnswer(mostMs: number): Promise<void> {
    if (this.#client.status === 'ready' || !this.isUp) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, mostMs);
      this.#onFirst = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** What is under way is answered as lost, and the connection is closed. */
  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#parts) clearTimeout(timer);
    this.#answers.giveUpAll();
    this.#client.disconnect();
  }

  async #run(script: Script, keys: readonly string[], words: readonly StoreWord[]): Promise<StoreAnswer> {
    try {
      return await this.#client.evalsha(script.sha1, keys.length, ...keys, ...words);
    } catch (error) {
      // A store that was started again, or a replica, does not know it yet.
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return await this.#client.eval(script.text, keys.length, ...keys, ...words);
    }
  }

  #partOf(key: string): Part {
    if (this.#parts.length === 1) return this.#parts[0];
    return this.#parts[Math.floor((slotOf(tagOf(key)) * CLUSTER_PARTS) / SLOTS)];
  }

  #failed(part: Part, key: string, kind: Failure, cause: string): void {
    this.#errors[kind].add(1);
    this.#cause = cause;
    part.key = key;
    if (part.circuit.failed()) this.#lost(part, kind);
  }

  /** Nobody else waits until something is heard: what is late, or a probe. */
  #missed(part: Part, key: string): void {
    this.#cause = 'no answer in time';
    part.key = key;
    if (part.circuit.failed()) return this.#lost(part, 'timeout');
    if (!part.circuit.isLost && part.circuit.doubt()) this.#probeIn(part, 0);
  }

  /** Without a connection nothing is answered: nobody need wait to learn that. */
  #onClose(): void {
    if (this.#isClosed) return;
    this.#errors.connection.add(1);
    // One that the store closes in good order has no error.
    if (this.#cause === '') this.#cause = 'the connection was closed';
    for (const part of this.#parts) if (part.circuit.lose()) this.#lost(part, 'connection');
    this.#answers.giveUpAll();
    this.#onFirst();
  }

  #onReady(): void {
    this.#onFirst();
    for (const part of this.#parts) if (part.circuit.isLost) this.#probeIn(part, 0);
  }

  #lost(part: Part, kind: Failure): void {
    this.#up.set(0);
    if (!this.#isToldLost) {
      this.#isToldLost = true;
      this.#tools.log.error('state-lost', { address: this.#address, kind, cause: this.#cause.slice(0, 200) });
    }
    this.#probeIn(part, this.#pause(part));
  }

  #probeIn(part: Part, delayMs: number): void {
    clearTimeout(part.timer);
    if (!this.#isClosed) part.timer = setTimeout(() => this.#probe(part), delayMs).unref();
  }

  #probe(part: Part): void {
    const isInTime = this.#probes.add((why) => {
      if (part.circuit.lose()) this.#lost(part, why);
      // On a connection that answers nothing also the next probe would wait in vain. A cluster has others.
      if (this.#parts.every(({ circuit }) => circuit.isLost)) this.#client.disconnect(true);
      this.#probeIn(part, this.#pause(part));
    });
    this.#run(PROBE, [probeKey(part.key)], []).then(
      () => {
        if (isInTime()) this.#found(part);
      },
      (error: Error) => {
        if (!isInTime()) return;
        this.#cause = error.message;
        if (part.circuit.lose()) return this.#lost(part, kindOf(error));
        this.#probeIn(part, this.#pause(part));
      },
    );
  }

  #found(part: Part): void {
    // It was only doubted. That it counts in time is for its questions to show.
    if (!part.circuit.isLost) return part.circuit.heard();
    part.circuit.recover();
    part.probes = 0;
    if (!this.isUp) return;
    this.#up.set(1);
    this.onFound();
    this.#cause = '';
    if (!this.#isToldLost) return;
    this.#isToldLost = false;
    this.#tools.log.info('state-recovered', { address: this.#address });
  }

  #pause(part: Part): number {
    const chance = Number.parseInt(this.#tools.random.hex(4), 16) / 2 ** 32;
    return backoffMs(++part.probes, FIRST_PROBE_MS, LONGEST_PROBE_MS, chance);
  }
}

const newPart = (prefix: string, part: number): Part => ({
  circuit: new Circuit(),
  key: `${prefix}:{${part}}`,
  probes: 0,
  timer: undefined,
});

const probeKey = (key: string): string => `${key.slice(0, key.indexOf('}') + 1)}:probe`;

const kindOf = (error: Error): Failure => (error.name === 'ReplyError' ? 'reply' : 'connection');
