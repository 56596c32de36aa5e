import type { AddressList, CompileDeps, PolicyContext } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { type CidrEntry, CidrSet } from '../../lib/cidr-set.ts';
import { PathTrie, parsePathPattern } from '../../lib/path-trie.ts';
import { loosePath } from './loose-path.ts';
import type { AclBlock } from './schema.ts';
import { compileTimes } from './times.ts';

/** What a block is for: where it denies, nothing may get past it by a spelling. */
export type BlockKind = 'allow' | 'deny';

export type RequestKey = 'methods' | 'paths' | 'addresses' | 'times';

/** One key of a block, ready to be asked about a request. May throw: undecided. */
export interface RequestTest {
  readonly key: RequestKey;
  readonly holds: (c: PolicyContext) => boolean;
}

/** The block's keys about the request itself; what is wrong with them is added to `issues`. */
export function requestTests(
  { methods, paths, addresses, times }: AclBlock,
  rule: string,
  kind: BlockKind,
  deps: CompileDeps,
  issues: ConfigIssue[],
): RequestTest[] {
  const tests: RequestTest[] = [];
  if (methods !== undefined) tests.push({ key: 'methods', holds: methodsTest(new Set(methods), kind) });
  if (paths !== undefined)
    tests.push({ key: 'paths', holds: pathsTest(paths, `${rule}.paths`, kind, issues) });
  if (addresses !== undefined)
    tests.push({ key: 'addresses', holds: addressesTest(addresses, `${rule}.addresses`, deps, issues) });
  if (times !== undefined) {
    const isTime = compileTimes(times, `${rule}.times`, issues);
    tests.push({ key: 'times', holds: (c) => isTime(c.now) });
  }
  return tests;
}

/**
 * Where a listener lets method overrides through, a request has two methods: which of them the upstream follows nobody
 * here knows. Both have to be allowed, and either can be denied.
 */
function methodsTest(methods: ReadonlySet<string>, kind: BlockKind): RequestTest['holds'] {
  const isOne = (method: string): boolean => methods.has(method);
  return ({ request }) => {
    const { method, methodOverride } = request;
    if (methodOverride === undefined) return isOne(method);
    const all = [method, ...methodOverride.split(',').map((text) => text.trim().toUpperCase())];
    return kind === 'deny' ? all.some(isOne) : all.every(isOne);
  };
}

function pathsTest(
  patterns: readonly string[],
  path: string,
  kind: BlockKind,
  issues: ConfigIssue[],
): RequestTest['holds'] {
  const trie = new PathTrie<true>();
  patterns.forEach((text, i) => {
    const pattern = parsePathPattern(text);
    const read = kind === 'deny' && typeof pattern !== 'string' ? parsePathPattern(loosePath(text)) : pattern;
    if (typeof read === 'string') issues.push({ path: `${path}[${i}]`, message: read });
    else trie.update(read, () => true);
  });
  if (kind === 'deny') return ({ request }) => trie.find(loosePath(request.path), accept) !== undefined;
  return ({ request }) => trie.find(request.path, accept) !== undefined;
}

const accept = (): boolean => true;
const LIST = 'list:';

function addressesTest(
  texts: readonly string[],
  path: string,
  deps: CompileDeps,
  issues: ConfigIssue[],
): RequestTest['holds'] {
  const entries: CidrEntry[] = [];
  const lists: AddressList[] = [];
  texts.forEach((text, i) => {
    const place = `${path}[${i}]`;
    if (text.startsWith(LIST)) {
      const found = listOf(text.slice(LIST.length), place, deps, issues);
      if (found !== undefined) lists.push(found);
      return;
    }
    const network = parseCidr(text);
    if (!('fault' in network)) entries.push({ network, value: 0 });
    else {
      const { fault, suggestion } = network;
      const issue = { path: place, message: `"${text}" ${fault}` };
      issues.push(suggestion === undefined ? issue : { ...issue, suggestion });
    }
  });
  const set = CidrSet.from(entries);
  if (lists.length === 0) return ({ request }) => set.lookup(request.client) !== -1;
  return (c) => set.lookup(c.request.client) !== -1 || isListed(lists, c);
}

function listOf(
  name: string,
  path: string,
  { lists }: CompileDeps,
  issues: ConfigIssue[],
): AddressList | undefined {
  try {
    return lists.list(name);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const issue of error.issues) issues.push({ ...issue, path });
    return undefined;
  }
}

/** Throws where only a list without content could tell. */
function isListed(lists: readonly AddressList[], { request, now }: PolicyContext): boolean {
  let failure: { readonly cause: unknown } | undefined;
  for (const list of lists) {
    try {
      if (list.lookup(request.client, now) !== -1) return true;
    } catch (cause) {
      failure ??= { cause };
    }
  }
  if (failure !== undefined) throw failure.cause;
  return false;
}
