import type { RouteMatch, RoutePlan, Router } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { type PathPattern, PathTrie, parsePathPattern } from '../lib/path-trie.ts';

/** A route with what it matches. Empty `hosts` or `methods` mean any. */
export interface RouteEntry {
  readonly route: RoutePlan;
  /** Exact names or `*.example.com` (any number of labels, not the bare domain), lower case. */
  readonly hosts: readonly string[];
  readonly paths: readonly string[];
  /** Upper case. A route that takes GET takes HEAD (RFC 9110 §9.3.2). */
  readonly methods: readonly string[];
  /** Header values that must be equal; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** One route at one pattern. A chain and not a list: nearly always there is only one, a step from its pattern. */
interface Candidate {
  readonly route: RoutePlan;
  readonly methods: ReadonlySet<string> | undefined;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly names: readonly string[];
  /** The next less specific one of the same pattern. */
  next: Candidate | undefined;
}

/** Request headers, as far as a route may ask. */
interface HeaderLookup {
  get(name: string): string | undefined;
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
const NONE: RouteMatch = Object.freeze({ kind: 'none' });

/**
 * Compiles routes for look-up: exact host, then the longest wildcard, then any host; within a host by path.
 * A host without a matching path falls through to the next. Throws ConfigError for a bad pattern
 * and for two routes that match the same requests.
 */
export function buildRouter(entries: readonly RouteEntry[]): Router {
  const hosts = new Map<string, PathTrie<Candidate>>();
  for (const entry of entries) {
    for (const text of entry.paths) {
      const pattern = parsePathPattern(text);
      if (typeof pattern === 'string') {
        throw ConfigError.at('match.path', `route "${entry.route.name}": "${text}" ${pattern}`);
      }
      for (const host of entry.hosts.length === 0 ? [''] : entry.hosts)
        addTo(hosts, host, text, pattern, entry);
    }
  }
  return new HostRouter(hosts);
}

function addTo(
  hosts: Map<string, PathTrie<Candidate>>,
  host: string,
  text: string,
  pattern: PathPattern,
  entry: RouteEntry,
): void {
  // A wildcard is kept under its suffix with the leading dot, which no exact host can have.
  const key = host.startsWith('*.') ? host.slice(1) : host;
  const trie = hosts.get(key) ?? new PathTrie<Candidate>();
  hosts.set(key, trie);
  const candidate = candidateOf(entry, pattern);
  trie.update(pattern, (first) => {
    const list = chain(first);
    const rival = list.find((other) => other.route !== entry.route && overlaps(other, candidate));
    if (rival !== undefined) {
      const place = `${host === '' ? 'any host' : host} ${text}`;
      throw ConfigError.at(
        'match',
        `routes "${rival.route.name}" and "${entry.route.name}" both match ${place}`,
      );
    }
    return linked([...list, candidate].sort(bySpecificity));
  });
}

function chain(first: Candidate | undefined): Candidate[] {
  const list: Candidate[] = [];
  for (let one = first; one !== undefined; one = one.next) list.push(one);
  return list;
}

function linked(list: readonly Candidate[]): Candidate {
  for (const [i, candidate] of list.entries()) candidate.next = list[i + 1];
  return list[0];
}

function candidateOf(entry: RouteEntry, pattern: PathPattern): Candidate {
  const methods = new Set(entry.methods);
  if (methods.has('GET')) methods.add('HEAD');
  return {
    route: entry.route,
    methods: methods.size === 0 ? undefined : methods,
    headers: shared(Object.entries(entry.headers)),
    names: shared(pattern.names),
    next: undefined,
  };
}

const NOTHING: readonly never[] = Object.freeze([]);

/** One empty list for all: what is the same in every route is in the processor's cache when a request asks. */
function shared<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? NOTHING : list;
}

/** More header conditions first, then a route that names methods before one that takes all. */
function bySpecificity(one: Candidate, other: Candidate): number {
  const byHeaders = other.headers.length - one.headers.length;
  if (byHeaders !== 0) return byHeaders;
  return Number(one.methods === undefined) - Number(other.methods === undefined);
}

/** Whether both take some same request and neither is the more specific one. */
function overlaps(one: Candidate, other: Candidate): boolean {
  if (one.headers.length !== other.headers.length) return false;
  const differ = one.headers.some(([name, value]) =>
    other.headers.some(([n, v]) => n === name && v !== value),
  );
  if (differ) return false;
  if (one.methods === undefined || other.methods === undefined) return one.methods === other.methods;
  for (const method of one.methods) if (other.methods.has(method)) return true;
  return false;
}

class HostRouter implements Router {
  readonly #hosts: ReadonlyMap<string, PathTrie<Candidate>>;
  readonly #any: PathTrie<Candidate> | undefined;
  readonly #hasHosts: boolean;

  constructor(hosts: ReadonlyMap<string, PathTrie<Candidate>>) {
    this.#hosts = hosts;
    this.#any = hosts.get('');
    this.#hasHosts = hosts.size > (this.#any === undefined ? 0 : 1);
  }

  match(host: string, path: string, method: string, headers: HeaderLookup): RouteMatch {
    // Asterisk-form is nobody's path, not even that of a route for everything.
    if (path === '*') return NONE;
    const search = new RouteSearch(path, method, headers);
    if (this.#hasHosts) {
      search.in(this.#hosts.get(host));
      // The leading dot marks a suffix; a host cannot start with one.
      let dot = host.indexOf('.', 1);
      while (search.found === undefined && dot !== -1) {
        search.in(this.#hosts.get(host.slice(dot)));
        dot = host.indexOf('.', dot + 1);
      }
    }
    if (search.found === undefined) search.in(this.#any);
    return search.result();
  }
}

/** One look-up: what it asks, what it found, and which methods it would have found. */
class RouteSearch {
  readonly #path: string;
  readonly #method: string;
  readonly #headers: HeaderLookup;
  #allow: Set<string> | undefined = undefined;
  #segments: readonly string[] = [];
  found: Candidate | undefined = undefined;

  constructor(path: string, method: string, headers: HeaderLookup) {
    this.#path = path;
    this.#method = method;
    this.#headers = headers;
  }

  in(trie: PathTrie<Candidate> | undefined): void {
    if (trie === undefined) return;
    const segments = trie.find(this.#path, this.#accept);
    if (segments !== undefined) this.#segments = segments;
  }

  readonly #accept = (first: Candidate): boolean => {
    for (let candidate: Candidate | undefined = first; candidate !== undefined; candidate = candidate.next) {
      if (!candidate.headers.every(([name, value]) => this.#headers.get(name) === value)) continue;
      if (candidate.methods === undefined || candidate.methods.has(this.#method)) {
        this.found = candidate;
        return true;
      }
      this.#allow ??= new Set();
      for (const method of candidate.methods) this.#allow.add(method);
    }
    return false;
  };

  result(): RouteMatch {
    if (this.found !== undefined) {
      return { kind: 'found', route: this.found.route, params: paramsOf(this.found.names, this.#segments) };
    }
    return this.#allow === undefined ? NONE : { kind: 'method-not-allowed', allow: [...this.#allow].sort() };
  }
}

function paramsOf(names: readonly string[], segments: readonly string[]): Readonly<Record<string, string>> {
  if (names.length === 0) return NO_PARAMS;
  const params: Record<string, string> = Object.create(null);
  for (let i = 0; i < names.length; i++) if (names[i] !== '') params[names[i]] = decodeSegment(segments[i]);
  return params;
}

/** Percent-decodes as UTF-8; text that is not valid UTF-8 stays encoded, so that two texts never become one. */
function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
