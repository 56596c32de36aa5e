import { type ConsumerDirectory, type Decision, type Identity, reject } from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';

/** Who calls, as one member proved it. */
export interface Proof {
  readonly member: string;
  readonly identity: Identity;
}

/** One caller out of several proofs, or a refusal. `chosen`: the member whose identity counts. */
export function mergeProofs(
  proofs: readonly Proof[],
  chosen: string | undefined,
  consumers: ConsumerDirectory,
): Identity | Decision {
  if (chosen !== undefined) {
    return proofs.find(({ member }) => member === chosen)?.identity ?? NOBODY;
  }
  // A caller that presented nothing to one member is known by what it presented to the others.
  const real = proofs.filter(({ identity }) => identity.anonymous !== true);
  const counted = real.length > 0 ? real : proofs;
  const last = counted.at(-1);
  if (last === undefined) return NOBODY;
  if (counted.length === 1) return last.identity;
  return rivalsIn(counted, consumers) ?? united(counted, last.identity);
}

const NOBODY: Decision = reject(
  new PolicyRejection('unauthenticated', 'Authentication is required.', {
    rule: 'missing',
    reason: 'no member established who calls',
  }),
);

/** Two declared consumers are two callers: which of them asks is not for the gateway to guess. */
function rivalsIn(proofs: readonly Proof[], consumers: ConsumerDirectory): Decision | undefined {
  const names = new Set(proofs.map(({ identity }) => identity.consumer));
  if (names.size === 1) return undefined;
  const declared = [...names].filter((name) => consumers.consumer(name) !== undefined);
  if (declared.length < 2) return undefined;
  const told = proofs.map(({ member, identity }) => `${member} proves ${identity.consumer}`).join(', ');
  return reject(
    new PolicyRejection('forbidden', 'The credentials belong to different callers.', {
      rule: 'consumers',
      reason: `two consumers in one request: ${told}`,
    }),
  );
}

function united(proofs: readonly Proof[], last: Identity): Identity {
  const all = <T>(of: (identity: Identity) => readonly T[]): readonly T[] =>
    Object.freeze([...new Set(proofs.flatMap(({ identity }) => of(identity)))]);
  return Object.freeze({
    ...last,
    groups: all(({ groups }) => groups),
    scopes: all(({ scopes }) => scopes),
    // From entries: a claim named `__proto__` is a claim like any other.
    claims: Object.freeze(
      Object.fromEntries(proofs.flatMap(({ identity }) => Object.entries(identity.claims))),
    ),
  });
}
