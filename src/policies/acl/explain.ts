import type { Identity, PolicyContext } from '../../contract/index.ts';
import { type Block, isAbout } from './block.ts';
import type { IdentityKey } from './caller.ts';

/** A token may carry hundreds of scopes; the record needs only enough of them to see the mistake. */
const MAX_NAMES = 10;
/** As with names: a document may have thousands of blocks, and each refusal writes this. */
const MAX_BLOCKS = 10;
const MAX_NAME_LENGTH = 80;
/** A caller who chooses long names must not choose how much is written of each refusal. */
const MAX_REASON_LENGTH = 2000;

/** Why no allowing block held, for the record: `denied: none of groups [partners]; the caller has []`. */
export function explainMiss(
  blocks: readonly Block[],
  c: PolicyContext,
  identity: Identity | undefined,
): string {
  if (blocks.length === 1) return cut(`denied: ${explainBlock(blocks[0], c, identity)}`, MAX_REASON_LENGTH);
  const told = blocks
    .slice(0, MAX_BLOCKS)
    .map((block) => `${block.rule}: ${explainBlock(block, c, identity)}`);
  const more = blocks.length > MAX_BLOCKS ? `; and ${blocks.length - MAX_BLOCKS} more` : '';
  return cut(`denied: ${told.join('; ')}${more}`, MAX_REASON_LENGTH);
}

const cut = (text: string, max: number): string => (text.length > max ? `${text.slice(0, max)}…` : text);

function explainBlock(block: Block, c: PolicyContext, identity: Identity | undefined): string {
  if (!isAbout(block, c)) {
    const keys = block.ofRequest.filter(({ holds }) => !holds(c)).map(({ key }) => key);
    return `the request is outside its ${keys.join(', ')}`;
  }
  if (block.ofCaller.length > 0 && identity === undefined) return 'nobody is identified';
  const missed = identity === undefined ? [] : block.ofCaller.filter(({ holds }) => !holds(identity));
  if (identity === undefined || missed.length === 0) return 'its condition does not hold';
  return missed.map(({ key }) => explainKey(key, block, identity)).join(', and ');
}

function explainKey(key: IdentityKey, { config }: Block, identity: Identity): string {
  switch (key) {
    case 'consumers':
      return `none of consumers ${names(config.consumers)}; the caller is ${identity.consumer}`;
    case 'groups':
      return `none of groups ${names(config.groups)}; the caller has ${names(identity.groups)}`;
    case 'allGroups':
      return `not all of groups ${names(config.allGroups)}; the caller has ${names(identity.groups)}`;
    case 'scopes':
      return `none of ${names(config.scopes)}; the token has ${names(identity.scopes)}`;
    case 'allScopes':
      return `not all of ${names(config.allScopes)}; the token has ${names(identity.scopes)}`;
    case 'claims':
      // What the token claims is not told: a claim may be somebody's address.
      return `not its values of the claims ${names(Object.keys(config.claims ?? {}))}`;
  }
}

function names(list: readonly string[] = []): string {
  const more = list.length > MAX_NAMES ? `, and ${list.length - MAX_NAMES} more` : '';
  const shown = list.slice(0, MAX_NAMES).map((name) => cut(name, MAX_NAME_LENGTH));
  return `[${shown.join(', ')}${more}]`;
}
