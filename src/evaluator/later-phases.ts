import {
  type Awaitable,
  type ChunkDecision,
  CONTINUE,
  type Decision,
  type Member,
  type Policy,
  type PolicyContext,
} from '../contract/index.ts';

/** A member that had its say on a request, with what it was given: its later phases are given the same. */
export interface Participant {
  readonly member: Member;
  readonly context: PolicyContext;
}

type Phases = Pick<Policy, 'wantsBody' | 'requestBody' | 'response' | 'responseChunk' | 'dispose'>;

const NOBODY: readonly Participant[] = Object.freeze([]);

/**
 * The phases behind `request` of a policy that is made of members: only those that took part in the request go on, in
 * their order. Who they are is remembered only where some member has such a phase.
 */
export class LaterPhases {
  readonly #members: readonly Member[];
  readonly #participants = new WeakMap<PolicyContext, readonly Participant[]>();
  readonly #isNeeded: boolean;

  constructor(members: readonly Member[]) {
    this.#members = members;
    this.#isNeeded = this.#has('requestBody') || this.#has('response') || this.#has('responseChunk');
  }

  /** To be told once the request phase lets a request on. */
  takePart(c: PolicyContext, participants: readonly Participant[]): void {
    if (this.#isNeeded) this.#participants.set(c, participants);
  }

  /** To be spread into the policy: a phase that no member has stays away, so that no request pays for it. */
  get phases(): Phases {
    return {
      ...(this.#has('requestBody') && {
        wantsBody: (c) => this.#of(c).some(wantsBody),
        requestBody: (c, body) =>
          inTurn(this.#of(c), ({ instance }, context) =>
            instance.requestBody === undefined ? CONTINUE : instance.requestBody(context, body),
          ),
      }),
      ...(this.#has('response') && {
        response: (c, head) =>
          inTurn(this.#of(c), ({ instance }, context) =>
            instance.response === undefined ? CONTINUE : instance.response(context, head),
          ),
      }),
      ...(this.#has('responseChunk') && { responseChunk: (c, bytes) => chunk(this.#of(c), bytes) }),
      dispose: async () => {
        await Promise.all(this.#members.map(({ instance }) => instance.dispose?.()));
      },
    };
  }

  #has(phase: 'requestBody' | 'response' | 'responseChunk'): boolean {
    return this.#members.some(({ instance }) => instance[phase] !== undefined);
  }

  #of(c: PolicyContext): readonly Participant[] {
    return this.#participants.get(c) ?? NOBODY;
  }
}

function wantsBody({ member, context }: Participant): boolean {
  const { body, instance } = member;
  if (body !== 'buffer' || instance.requestBody === undefined) return false;
  return instance.wantsBody?.(context) ?? true;
}

/** The first decision that ends the request, or CONTINUE. Synchronous as long as every participant is. */
function inTurn(
  list: readonly Participant[],
  ask: (member: Member, context: PolicyContext) => Awaitable<Decision>,
  from = 0,
): Awaitable<Decision> {
  for (let i = from; i < list.length; i++) {
    const decision = ask(list[i].member, list[i].context);
    if (decision instanceof Promise)
      return decision.then((d) => (d.kind === 'continue' ? inTurn(list, ask, i + 1) : d));
    if (decision.kind !== 'continue') return decision;
  }
  return CONTINUE;
}

async function chunk(list: readonly Participant[], bytes: Uint8Array): Promise<ChunkDecision> {
  let current = bytes;
  for (const { member, context } of list) {
    const decision = await member.instance.responseChunk?.(context, current);
    if (decision?.kind === 'abort') return decision;
    if (decision?.kind === 'replace') current = decision.bytes;
  }
  return current === bytes ? CONTINUE : { kind: 'replace', bytes: current };
}
