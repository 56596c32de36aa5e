import {
  type Awaitable,
  CONTINUE,
  type ConsumerDirectory,
  type Decision,
  type Identity,
  type Member,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { ConfigError, InternalError, PolicyRejection } from '../../errors.ts';
import { LaterPhases, type Participant, partFailure, Trial } from '../../evaluator/index.ts';
import { credentialFieldsOf } from '../../identity/index.ts';
import { didYouMean } from '../../lib/suggest.ts';
import { mergeProofs, type Proof } from './merge.ts';
import { type AllOfConfig, allOfOutline, type allOfSchema } from './schema.ts';

/** Identifies the caller only where every one of several proofs is given. */
export const allOf: PolicyDefinition<typeof allOfSchema> = {
  ...allOfOutline,
  async compile(config, deps): Promise<Policy> {
    const [items, path] = Array.isArray(config) ? [config, ''] : [config.members, 'members'];
    const members = await deps.members(items, path);
    checkMembers(members, path);
    const chosen = chosenOf(config, members);
    const later = new LaterPhases(members);
    const proofs = new Proofs(members, later, chosen, deps.consumers);
    const { vouchesFor } = proofs;
    return {
      request: (c) => proofs.request(c),
      ...later.phases,
      admitsStrangers: members.every(({ instance }) => instance.admitsStrangers === true),
      vouchesFor,
      credentialFields: credentialFieldsOf(members),
      proves: members.flatMap(({ policy, instance }) => instance.proves ?? [policy]),
    };
  },
};

function checkMembers(members: readonly Member[], path: string): void {
  const i = members.findIndex(({ policy }) => policy === 'anonymous');
  if (i === -1) return;
  throw ConfigError.at(
    `${path}[${i}].anonymous`,
    'proves nothing, and here everything has to be proved',
    'leave it out',
  );
}

function chosenOf(config: AllOfConfig, members: readonly Member[]): string | undefined {
  const chosen = Array.isArray(config) ? undefined : config.identity;
  if (chosen === undefined) return undefined;
  const names = members.map(({ name }) => name);
  const member = members.find(({ name }) => name === chosen);
  if (member === undefined) {
    const suggestion = didYouMean(chosen, names) ?? `members: ${names.join(', ')}`;
    throw ConfigError.at('identity', `no member is named "${chosen}"`, suggestion);
  }
  if (member.when === undefined) return chosen;
  const problem = `"${chosen}" has a condition, and where it is false nobody would be identified`;
  throw ConfigError.at('identity', problem, 'name a member that always applies');
}

/** What one request has shown so far. */
interface Shown {
  /** What the members are given. What they say of the request counts once the last of them was asked. */
  readonly whole: Trial;
  /** Who was identified before. */
  readonly before: Identity | undefined;
  readonly proofs: Proof[];
  readonly participants: Participant[];
}

class Proofs {
  readonly vouchesFor: readonly string[];
  readonly #members: readonly Member[];
  readonly #later: LaterPhases;
  readonly #chosen: string | undefined;
  readonly #consumers: ConsumerDirectory;

  constructor(
    members: readonly Member[],
    later: LaterPhases,
    chosen: string | undefined,
    consumers: ConsumerDirectory,
  ) {
    this.#members = members;
    this.#later = later;
    this.#chosen = chosen;
    this.#consumers = consumers;
    this.vouchesFor = [...new Set(members.flatMap(({ instance }) => instance.vouchesFor ?? []))];
  }

  request(c: PolicyContext): Awaitable<Decision> {
    const whole = new Trial(c);
    // A member that is not asked does not take away what a client says in its name.
    for (const name of this.vouchesFor) whole.edits.removeRequestHeader(name);
    return this.#ask(c, 0, { whole, before: c.facts.identity, proofs: [], participants: [] });
  }

  #ask(c: PolicyContext, from: number, shown: Shown): Awaitable<Decision> {
    for (let i = from; i < this.#members.length; i++) {
      const member = this.#members[i];
      const trial = new Trial(shown.whole);
      let said: Awaitable<Decision>;
      try {
        if (member.when !== undefined && !member.when(shown.whole)) continue;
        said = member.instance.request === undefined ? CONTINUE : member.instance.request(trial);
      } catch (cause) {
        throw failure(member, shown, trial, cause);
      }
      if (said instanceof Promise) return this.#resume(c, i, shown, trial, said);
      const refused = this.#refusal(c, member, shown, trial, said);
      if (refused !== undefined) return refused;
    }
    return this.#conclude(c, shown);
  }

  async #resume(
    c: PolicyContext,
    at: number,
    shown: Shown,
    trial: Trial,
    pending: Promise<Decision>,
  ): Promise<Decision> {
    const member = this.#members[at];
    let said: Decision;
    try {
      said = await pending;
    } catch (cause) {
      throw failure(member, shown, trial, cause);
    }
    return this.#refusal(c, member, shown, trial, said) ?? this.#ask(c, at + 1, shown);
  }

  /** The end of it, or undefined where the member has what it asks for. */
  #refusal(
    c: PolicyContext,
    member: Member,
    { whole, before, proofs, participants }: Shown,
    trial: Trial,
    said: Decision,
  ): Decision | undefined {
    // Also of one that refuses: an answer that ends a session has to reach the client.
    trial.take();
    if (said.kind === 'continue') {
      const { identity } = trial.facts;
      if (trial.identified && identity !== undefined) proofs.push({ member: member.name, identity });
      participants.push({ member, context: trial });
      return undefined;
    }
    // Half a proof names nobody.
    whole.provide('identity', before);
    whole.take();
    if (said.kind === 'respond') return said;
    if (said.kind === 'take') {
      this.#later.takePart(c, [{ member, context: trial }]);
      return said;
    }
    if (said.kind !== 'reject') throw new InternalError(`${member.name} returned no decision`);
    return reject(namedRejection(member.name, said.error));
  }

  #conclude(c: PolicyContext, { whole, before, proofs, participants }: Shown): Decision {
    const merged = mergeProofs(proofs, this.#chosen, this.#consumers);
    whole.provide('identity', 'kind' in merged ? before : merged);
    whole.take();
    if ('kind' in merged) return merged;
    this.#later.takePart(c, participants);
    return CONTINUE;
  }
}

/** What has been said by then is half a proof's, and goes no further, whatever becomes of the request. */
function failure(member: Member, { whole }: Shown, trial: Trial, cause: unknown): Error {
  trial.giveUp();
  whole.giveUp();
  return partFailure(member.name, cause);
}

/** The member's own answer; the record tells which it was. */
function namedRejection(member: string, error: PolicyRejection): PolicyRejection {
  const { code, detail, rule, reason, headers, status, body } = error;
  return new PolicyRejection(code, detail, {
    rule: rule === undefined ? member : `${member}/${rule}`,
    reason: `${member}: ${reason ?? detail}`,
    headers,
    status,
    ...(body === undefined ? {} : { body }),
  });
}
