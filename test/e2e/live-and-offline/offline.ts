import assert from 'node:assert/strict';
import {
  createBundle,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  secretsOf,
} from '../../../src/config/index.ts';
import type { EvaluationDeps, ListenerPlan, Snapshot } from '../../../src/contract/index.ts';
import { ERRORS, type PolicyRejection, type RequestError } from '../../../src/errors.ts';
import { evaluate, type Judgement, type Verdict } from '../../../src/evaluator/index.ts';
import { fieldLines } from '../../../src/http1/index.ts';
import { parseIpAddress } from '../../../src/lib/ip-address.ts';
import { POLICIES } from '../../../src/policies/index.ts';
import { createLocalCounters } from '../../../src/state/index.ts';
import { filesFrom } from '../../fixtures/config.ts';
import type { Document } from '../../fixtures/gateway.ts';
import { NOBODY_THERE } from '../../fixtures/nobody-there.ts';
import { FILES, KEYS } from './document.ts';
import { answered, FORWARDED, type Outcome, refused } from './outcome.ts';
import type { GeneratedRequest } from './requests.ts';

/** Compiles the document as `check`, `test` and the program itself do. */
export async function compileDocument(document: Document): Promise<Snapshot> {
  const files = filesFrom(FILES);
  const parsed = parseDocument(JSON.stringify(document), 'gateway.json');
  const deps = { catalog: new PolicyCatalog(POLICIES), cache: new PolicyCache(), files };
  const { snapshot } = await createBundle(parsed, { ...deps, secrets: secretsOf(KEYS, files) });
  return snapshot;
}

/** Judges requests in the order asked, by one snapshot, with counters of its own and without sending anything. */
export class OfflineJudge {
  readonly #snapshot: Snapshot;
  readonly #state = createLocalCounters();

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
  }

  /**
   * `timeMs` is when it was judged live, from its record. Nothing is lost by its form: the clock of live traffic gives
   * whole milliseconds, a record has them all, and counters count in whole ones; so no decision hangs on less.
   */
  async judge(request: GeneratedRequest, timeMs: number): Promise<Outcome> {
    const { id, method, target, peer: from, listener: name, body, fields } = request;
    const listener = this.#listener(name);
    const peer = parseIpAddress(from);
    assert.ok(peer, `${from} is no address`);
    const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${fieldLines(fields)}\r\n`, 'latin1');
    const judgement = await evaluate(listener, { id, scheme: 'http', peer, head, body }, this.#deps(timeMs));
    return judgement.kind === 'refused' ? refusedEarly(judgement.error, from) : outcomeOf(judgement);
  }

  #listener(name: string): ListenerPlan {
    const found = this.#snapshot.listeners.find((listener) => listener.name === name);
    assert.ok(found, `there is no listener "${name}"`);
    return found;
  }

  #deps(timeMs: number): EvaluationDeps {
    return {
      clock: { now: () => timeMs, monotonic: () => timeMs },
      random: { hex: () => assert.fail('no policy here draws lots') },
      state: this.#state,
      ...NOBODY_THERE,
    };
  }
}

/** No policy was asked, and nobody but the other end of the connection is known. */
function refusedEarly({ code }: RequestError | PolicyRejection, peer: string): Outcome {
  const verdict = refused(ERRORS[code].status, code);
  return { verdict, route: '', client: peer, consumer: undefined, decisions: [] };
}

function outcomeOf({ verdict, evaluation }: Extract<Judgement, { kind: 'judged' }>): Outcome {
  return {
    verdict: wordsOf(verdict),
    route: evaluation.route.name,
    client: evaluation.request.client.text,
    consumer: evaluation.facts.identity?.consumer,
    decisions: evaluation.entries,
  };
}

function wordsOf(verdict: Verdict): string {
  if (verdict.kind === 'forward') return FORWARDED;
  if (verdict.kind === 'respond') return answered(verdict.response.status);
  return refused(verdict.error.status, verdict.error.code);
}
