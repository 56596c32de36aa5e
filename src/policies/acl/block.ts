import type { CompileDeps, Identity, PolicyContext } from '../../contract/index.ts';
import type { ConfigIssue } from '../../errors.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { type CidrEntry, CidrSet } from '../../lib/cidr-set.ts';
import { PathTrie, parsePathPattern } from '../../lib/path-trie.ts';
import { didYouMean } from '../../lib/suggest.ts';
import type { AclBlock } from './schema.ts';

export type IdentityKey = 'consumers' | 'groups' | 'scopes';

/** A block ready to be asked. Keys are ANDed, the values of one key ORed. */
export interface Block {
  /** Place in the config, e.g. `deny[2]`: the rule that is recorded. */
  readonly rule: string;
  readonly config: AclBlock;
  readonly needsIdentity: boolean;
  /** Whether what needs no identity (method, path, address) holds. */
  readonly matchesRequest: (c: PolicyContext) => boolean;
  /** Keys that need an identity and do not hold for this one. */
  readonly missed: (identity: Identity) => readonly IdentityKey[];
}

const IDENTITY_KEYS: readonly IdentityKey[] = ['consumers', 'groups', 'scopes'];

/** Whether a block names anything that only an identity can tell. */
export const needsIdentity = (config: AclBlock): boolean =>
  IDENTITY_KEYS.some((key) => config[key] !== undefined);

/** Compiles one block; what is wrong with it is added to `issues`. */
export function compileBlock(
  config: AclBlock,
  rule: string,
  deps: CompileDeps,
  issues: ConfigIssue[],
): Block {
  checkNames(config, rule, deps, issues);
  const methods = config.methods && new Set(config.methods);
  const paths = config.paths && compilePaths(config.paths, `${rule}.paths`, issues);
  const addresses = config.addresses && compileAddresses(config.addresses, `${rule}.addresses`, issues);
  const accepted = IDENTITY_KEYS.flatMap((key) => {
    const names = config[key];
    return names === undefined ? [] : [{ key, names: new Set(names) }];
  });
  return {
    rule,
    config,
    needsIdentity: accepted.length > 0,
    matchesRequest: ({ request }) =>
      (methods === undefined || methods.has(request.method)) &&
      (paths === undefined || paths.find(request.path, accept) !== undefined) &&
      (addresses === undefined || addresses.lookup(request.client) !== -1),
    missed: (identity) => {
      let missed: IdentityKey[] | undefined;
      for (const { key, names } of accepted) {
        if (holds(key, names, identity)) continue;
        missed ??= [];
        missed.push(key);
      }
      return missed ?? NONE;
    },
  };
}

const NONE: readonly IdentityKey[] = Object.freeze([]);
const accept = (): boolean => true;

function holds(key: IdentityKey, names: ReadonlySet<string>, identity: Identity): boolean {
  if (key === 'consumers') return names.has(identity.consumer);
  for (const name of identity[key]) if (names.has(name)) return true;
  return false;
}

/** Misspelt names that are compared with all others: a hostile document could have very many of both. */
const MAX_COMPARED = 20;
const DECLARE = 'declare it under consumers, or mend the name';

/** A name that nobody has would never match: a misspelt `deny` must not become a silent `allow`. */
function checkNames(config: AclBlock, rule: string, deps: CompileDeps, issues: ConfigIssue[]): void {
  const refuse = (what: string, name: string, path: string, known: Iterable<string>): void => {
    const near = issues.length < MAX_COMPARED ? didYouMean(name, known) : undefined;
    issues.push({ path, message: `there is no ${what} "${name}"`, suggestion: near ?? DECLARE });
  };
  // The directory is asked only where a block names somebody: who asked is compiled anew when consumers change.
  config.consumers?.forEach((name, i) => {
    const { consumers } = deps;
    if (!consumers.has(name)) refuse('consumer', name, `${rule}.consumers[${i}]`, consumers.names);
  });
  config.groups?.forEach((name, i) => {
    const { consumers } = deps;
    if (!consumers.hasGroup(name)) refuse('group', name, `${rule}.groups[${i}]`, consumers.groups);
  });
}

function compilePaths(patterns: readonly string[], path: string, issues: ConfigIssue[]): PathTrie<true> {
  const trie = new PathTrie<true>();
  patterns.forEach((text, i) => {
    const pattern = parsePathPattern(text);
    if (typeof pattern === 'string') issues.push({ path: `${path}[${i}]`, message: pattern });
    else trie.update(pattern, () => true);
  });
  return trie;
}

function compileAddresses(networks: readonly string[], path: string, issues: ConfigIssue[]): CidrSet {
  const entries: CidrEntry[] = [];
  networks.forEach((text, i) => {
    const network = parseCidr(text);
    if (!('fault' in network)) entries.push({ network, value: 0 });
    else {
      const { fault, suggestion } = network;
      const issue = { path: `${path}[${i}]`, message: `"${text}" ${fault}` };
      issues.push(suggestion === undefined ? issue : { ...issue, suggestion });
    }
  });
  return CidrSet.from(entries);
}
