import type { ListenerPlan, RouteMatch } from '../../contract/index.ts';
import { type PolicyRejection, RequestError } from '../../errors.ts';
import { refusalUnasked, viewOf } from '../../evaluator/index.ts';
import { METHODS, parseRequestHead } from '../../http1/index.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { parsePathPattern } from '../../lib/path-trie.ts';
import type { LintContext, LintRoute } from './context.ts';
import type { Found, LintRule } from './finding.ts';

/**
 * Asks the listeners' own routers, with requests made to be the route's and nobody else's: a text that no pattern
 * has stands for every `{name}`, `*` and wildcard. What takes such a request away takes all of them away.
 */
export const unreachableRoute: LintRule = {
  id: 'unreachable-route',
  severity: 'warning',
  summary: 'A route, or a host, path or method of one, that no request comes to',
  *check(c) {
    const fresh = freshText(c);
    const depth = deepest(c) + 1;
    for (const route of c.routes) {
      yield undefined;
      yield* new Search(route, fresh, depth).findings();
    }
  },
};

/** So many requests are tried for one route; beyond it counts as reached. */
const MAX_TRIES = 10_000;

/** One combination of what a route names. */
interface Choice {
  readonly host: number;
  readonly path: number;
  readonly method: number;
}

/** Why a request did not come to the route. */
type Miss = string;

class Search {
  readonly #route: LintRoute;
  readonly #fresh: string;
  readonly #depth: number;
  readonly #hosts: readonly string[];
  readonly #paths: readonly string[];
  /** Empty for any. */
  readonly #methods: readonly string[];
  readonly #reached = { host: new Set<number>(), path: new Set<number>(), method: new Set<number>() };
  #tries = 0;
  readonly #misses = new Map<string, Miss>();

  constructor(route: LintRoute, fresh: string, depth: number) {
    const { hosts = [''], path = '/**', paths = [path], methods = [] } = route.config.match;
    this.#route = route;
    this.#fresh = fresh;
    this.#depth = depth;
    this.#hosts = hosts;
    this.#paths = paths;
    this.#methods = methods;
  }

  *findings(): Generator<Found> {
    for (const choice of this.#choices()) if (!this.#isKnown(choice)) this.#try(choice);
    if (this.#tries >= MAX_TRIES) return;
    const { path, name } = this.#route;
    if (this.#reached.path.size === 0) {
      const why = [...new Set(this.#misses.values())].slice(0, 3).join('; ');
      yield {
        path,
        message: `no request comes to route "${name}": ${why}`,
        fix: 'take it out, or change what it matches',
      };
      return;
    }
    const { hosts, paths } = this.#route.config.match;
    if (hosts !== undefined) yield* this.#missed('host', hosts, 'hosts');
    if (paths !== undefined) yield* this.#missed('path', paths, 'paths');
    yield* this.#missed('method', this.#methods, 'methods');
  }

  *#missed(kind: keyof Choice, texts: readonly string[], key: string): Generator<Found> {
    for (const [i, text] of texts.entries()) {
      if (this.#reached[kind].has(i)) continue;
      const why = this.#misses.get(`${kind} ${i}`) ?? 'other routes take all of them';
      yield {
        path: [...this.#route.path, 'match', key, i],
        message: `no request for ${text} comes to route "${this.#route.name}": ${why}`,
        fix: `take it out of ${key}, or change what the other route matches`,
      };
    }
  }

  /** Each host, path and method once first, then every combination: nearly always the first few reach all. */
  *#choices(): Generator<Choice> {
    const [hosts, paths, methods] = [
      this.#hosts.length,
      this.#paths.length,
      Math.max(1, this.#methods.length),
    ];
    for (let i = 0; i < Math.max(hosts, paths, methods); i++)
      yield { host: i % hosts, path: i % paths, method: i % methods };
    for (let host = 0; host < hosts; host++)
      for (let path = 0; path < paths; path++)
        for (let method = 0; method < methods; method++) yield { host, path, method };
  }

  #isKnown({ host, path, method }: Choice): boolean {
    const reached = this.#reached;
    return reached.host.has(host) && reached.path.has(path) && reached.method.has(method);
  }

  #try(choice: Choice): void {
    const host = this.#hosts[choice.host].replace(/^\*/, this.#fresh) || this.#fresh;
    const methods = this.#methods.length === 0 ? METHODS : [this.#methods[choice.method]];
    let miss: Miss | undefined;
    for (const path of this.#pathsLike(this.#paths[choice.path])) {
      for (const method of methods) {
        for (const { plan } of this.#route.listeners) {
          if (this.#tries++ >= MAX_TRIES) return this.#mark(choice);
          const answer = ask(plan, { method, path, host, headers: this.#route.config.match.headers ?? {} });
          if (answer.kind === 'found' && answer.route.name === this.#route.name) return this.#mark(choice);
          miss ??= missOf(answer);
        }
      }
    }
    for (const kind of ['host', 'path', 'method'] as const)
      this.#misses.set(`${kind} ${choice[kind]}`, miss ?? 'no listener serves it');
  }

  #mark({ host, path, method }: Choice): void {
    this.#reached.host.add(host);
    this.#reached.path.add(path);
    this.#reached.method.add(method);
  }

  /** Paths of every depth that only patterns with places for any text can also match, the deepest first. */
  *#pathsLike(pattern: string): Generator<string> {
    const parsed = parsePathPattern(pattern);
    if (typeof parsed === 'string') return;
    const base = parsed.segments.map((segment) => segment ?? this.#fresh);
    for (let more = parsed.rest ? this.#depth : 0; more >= 0; more--) {
      const path = `/${[...base, ...Array.from({ length: more }, () => this.#fresh)].join('/')}`;
      yield path;
      if (parsed.rest && !path.endsWith('/')) yield `${path}/`;
    }
  }
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
}

type Answer = RouteMatch | { readonly kind: 'refused'; readonly error: RequestError | PolicyRejection };

const NOBODY_BANNED = { bans: { find: () => undefined }, clock: { now: () => 0, monotonic: () => 0 } };
const PEER = parseIpAddress('192.0.2.1');

/** What becomes of a request before any policy is asked: read as strictly as one that came in. */
function ask(listener: ListenerPlan, { method, path, host, headers }: Asked): Answer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const own = Object.keys(headers).some((name) => name.toLowerCase() === 'host') ? '' : `Host: ${host}\r\n`;
  const bytes = Buffer.from(`${method} ${path} HTTP/1.1\r\n${own}${lines.join('')}\r\n`, 'latin1');
  const head = parseRequestHead(bytes, 0, bytes.length, listener.limits);
  if (head instanceof RequestError) return { kind: 'refused', error: head };
  if (PEER === undefined) return { kind: 'none' };
  const { methodOverride, target, headers: fields, authority } = head;
  const sent = { method, methodOverride, target, headers: fields, authority, httpVersion: '1.1' } as const;
  const view = viewOf({ id: 'lint', scheme: 'http', peer: PEER, certificate: undefined, ...sent }, listener);
  if (view instanceof RequestError) return { kind: 'refused', error: view };
  const error = refusalUnasked(head, view, NOBODY_BANNED);
  if (error !== undefined) return { kind: 'refused', error };
  return listener.router.match(view.host, view.path, method, view.headers);
}

function missOf(answer: Answer): Miss {
  if (answer.kind === 'found') return `route "${answer.route.name}" takes them, which matches more exactly`;
  if (answer.kind === 'refused') return `the gateway refuses them first (${answer.error.code})`;
  return 'no request can match it: what it compares is never spelt so when routes are asked';
}

/** A text that stands in no pattern, so that nothing but a place for any text matches it. */
function freshText({ routes }: LintContext): string {
  const texts = routes.flatMap(({ config: { match } }) => [
    ...(match.hosts ?? []),
    ...(match.paths ?? [match.path ?? '']),
  ]);
  let fresh = 'any';
  while (texts.some((text) => text.toLowerCase().includes(fresh))) fresh += 'x';
  return fresh;
}

/** Segments of the longest pattern. */
function deepest({ routes }: LintContext): number {
  let most = 0;
  for (const { config } of routes) {
    const { match } = config;
    for (const pattern of match.paths ?? [match.path ?? '']) most = Math.max(most, pattern.split('/').length);
  }
  return most;
}
