import type { Identity, PolicyContext } from '../../contract/index.ts';
import type { Block, IdentityKey } from './block.ts';

/** A token may carry hundreds of scopes; the record needs only enough of them to see the mistake. */
const MAX_NAMES = 10;

/** Why no allowing block held, for the record: `none of groups [partners]; the caller has []`. */
export function explainMiss(
  blocks: readonly Block[],
  c: PolicyContext,
  identity: Identity | undefined,
): string {
  const reasons = blocks.map((block) => `${block.rule}: ${explainBlock(block, c, identity)}`);
  return reasons.length === 1 ? reasons[0].slice(reasons[0].indexOf(': ') + 2) : reasons.join('; ');
}

function explainBlock(block: Block, c: PolicyContext, identity: Identity | undefined): string {
  if (!block.matchesRequest(c)) {
    const keys = (['methods', 'paths', 'addresses'] as const).filter(
      (key) => block.config[key] !== undefined,
    );
    return `the request is outside its ${keys.join(', ')}`;
  }
  if (identity === undefined) return 'nobody is identified';
  return block
    .missed(identity)
    .map((key) => `none of ${key} ${names(block.config[key] ?? [])}; the caller ${callerHas(key, identity)}`)
    .join(', and ');
}

const callerHas = (key: IdentityKey, identity: Identity): string =>
  key === 'consumers' ? `is ${identity.consumer}` : `has ${names(identity[key])}`;

function names(list: readonly string[]): string {
  const more = list.length > MAX_NAMES ? `, and ${list.length - MAX_NAMES} more` : '';
  return `[${list.slice(0, MAX_NAMES).join(', ')}${more}]`;
}
