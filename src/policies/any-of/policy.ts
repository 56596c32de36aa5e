import {
  type Awaitable,
  CONTINUE,
  type Decision,
  type Member,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
} from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { LaterPhases, Trial } from '../../evaluator/index.ts';
import { credentialFieldsOf } from '../../identity/index.ts';
import { anyOfOutline, type anyOfSchema } from './schema.ts';
import { Tally } from './tally.ts';

/** Identifies the caller in the first of several ways that succeeds. */
export const anyOf: PolicyDefinition<typeof anyOfSchema> = {
  ...anyOfOutline,
  async compile(items, deps): Promise<Policy> {
    const members = await deps.members(items, '');
    checkOrder(members);
    const later = new LaterPhases(members);
    const ways = new Ways(members, later);
    return {
      request: (c) => ways.request(c),
      ...later.phases,
      admitsStrangers: members.some(({ instance }) => instance.admitsStrangers === true),
      vouchesFor: ways.vouchesFor,
      credentialFields: credentialFieldsOf(members),
      proves: members.flatMap(({ policy, instance }) => instance.proves ?? [policy]),
    };
  },
};

/** Who is let on without a credential must not be let on before the others had a look. */
function checkOrder(members: readonly Member[]): void {
  const open = members.map(({ instance }) => instance.admitsStrangers === true);
  const first = open.indexOf(true);
  if (first === -1 || first > open.lastIndexOf(false)) return;
  const problem = 'lets on who presents nothing, so that those behind it are never asked';
  throw ConfigError.at(`[${first}]`, problem, 'put it last');
}

class Ways {
  readonly vouchesFor: readonly string[];
  readonly #members: readonly Member[];
  readonly #later: LaterPhases;
  /** What is said where a member has let the request on. */
  readonly #successes: readonly Decision[];

  constructor(members: readonly Member[], later: LaterPhases) {
    this.#members = members;
    this.#later = later;
    this.#successes = members.map(({ name }) => Object.freeze({ kind: 'continue', rule: name }));
    this.vouchesFor = [...new Set(members.flatMap(({ instance }) => instance.vouchesFor ?? []))];
  }

  request(c: PolicyContext): Awaitable<Decision> {
    // A member that is not asked does not take away what a client says in its name.
    for (const name of this.vouchesFor) c.edits.removeRequestHeader(name);
    return this.#ask(c, 0, new Tally());
  }

  #ask(c: PolicyContext, from: number, tally: Tally): Awaitable<Decision> {
    for (let i = from; i < this.#members.length; i++) {
      const { name, when, instance } = this.#members[i];
      if (instance.admitsStrangers === true && tally.isClosed) continue;
      const trial = new Trial(c);
      let said: Awaitable<Decision>;
      try {
        if (when !== undefined && !when(c)) continue;
        said = instance.request === undefined ? CONTINUE : instance.request(trial);
      } catch (cause) {
        tally.fail(name, cause);
        continue;
      }
      if (said instanceof Promise) return this.#resume(c, i, tally, trial, said);
      if (this.#isSuccess(i, tally, trial, said)) return this.#succeed(c, i, trial, said);
    }
    return tally.answer();
  }

  async #resume(
    c: PolicyContext,
    at: number,
    tally: Tally,
    trial: Trial,
    pending: Promise<Decision>,
  ): Promise<Decision> {
    let said: Decision;
    try {
      said = await pending;
    } catch (cause) {
      tally.fail(this.#members[at].name, cause);
      return this.#ask(c, at + 1, tally);
    }
    return this.#isSuccess(at, tally, trial, said)
      ? this.#succeed(c, at, trial, said)
      : this.#ask(c, at + 1, tally);
  }

  /** Whoever lets a request on without saying who calls has proved nothing. What is no success is noted. */
  #isSuccess(at: number, tally: Tally, trial: Trial, said: Decision): boolean {
    const { name, instance } = this.#members[at];
    try {
      if (said.kind === 'take') return true;
      if (said.kind === 'continue' && (trial.identified || instance.admitsStrangers === true)) return true;
      tally.note(name, said);
    } catch (cause) {
      tally.fail(name, cause);
    }
    return false;
  }

  #succeed(c: PolicyContext, at: number, trial: Trial, said: Decision): Decision {
    const member = this.#members[at];
    trial.take();
    this.#later.takePart(c, [{ member, context: trial }]);
    if (said.kind === 'take') return said;
    if (said.kind !== 'continue' || said.rule === undefined) return this.#successes[at];
    return { kind: 'continue', rule: `${member.name}/${said.rule}` };
  }
}
