import {
  CONTINUE,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
  respond,
} from '../../contract/index.ts';
import { ConfigError, type ConfigIssue, PolicyRejection } from '../../errors.ts';
import { parseDuration } from '../../lib/duration.ts';
import { compileOrigins, type OriginTest } from './origins.ts';
import { type CorsConfig, corsOutline, type corsSchema } from './schema.ts';

/** Cross-origin resource sharing (Fetch Standard §3.2), answered by the gateway alone. */
export const cors: PolicyDefinition<typeof corsSchema> = {
  ...corsOutline,
  compile(config): Policy {
    const issues: ConfigIssue[] = [];
    const allows = compileOrigins(config.origins, issues);
    if (config.credentials === true && config.origins.includes('*')) {
      const message = 'with credentials, "*" would let every page act for your users';
      issues.push({ path: 'origins', message, suggestion: 'name the origins' });
    }
    if (issues.length > 0) throw new ConfigError(issues);
    return new CorsPolicy(config, allows);
  },
};

/** Headers that say what a page may do. Only this policy says it: an upstream's own are removed. */
const SPOKEN_FOR = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
  'access-control-max-age',
];
const PREFLIGHT_VARY = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

class CorsPolicy implements Policy {
  readonly #allows: OriginTest;
  readonly #everyone: boolean;
  readonly #credentials: boolean;
  readonly #exposed: string;
  /** The part of a preflight's answer that is the same for every origin. */
  readonly #preflight: readonly string[];

  constructor(config: CorsConfig, allows: OriginTest) {
    this.#allows = allows;
    this.#everyone = config.origins.includes('*');
    this.#credentials = config.credentials ?? false;
    this.#exposed = (config.exposeHeaders ?? []).join(', ');
    const seconds = Math.floor((parseDuration(config.maxAge ?? '10m') ?? 0) / 1000);
    const headers = (config.headers ?? []).join(', ');
    this.#preflight = [
      ...(this.#credentials ? ['Access-Control-Allow-Credentials', 'true'] : []),
      'Access-Control-Allow-Methods',
      (config.methods ?? ['GET', 'HEAD', 'POST']).join(', '),
      ...(headers === '' ? [] : ['Access-Control-Allow-Headers', headers]),
      'Access-Control-Max-Age',
      `${seconds}`,
      'Vary',
      PREFLIGHT_VARY,
    ];
  }

  request(c: PolicyContext): Decision {
    const { headers, method } = c.request;
    const origin = headers.get('origin');
    const isPreflight =
      method === 'OPTIONS' && origin !== undefined && headers.has('access-control-request-method');
    // Two origins are none: a page sends one.
    const allowed = origin !== undefined && headers.count('origin') === 1 && this.#allows(origin);
    if (isPreflight) return allowed ? this.#answer(origin) : DENIED;
    this.#describe(c, allowed ? origin : undefined);
    return CONTINUE;
  }

  #answer(origin: string): Decision {
    const headers = ['Access-Control-Allow-Origin', this.#everyone ? '*' : origin, ...this.#preflight];
    return respond({ status: 204, headers, body: '' });
  }

  /** Says on whatever answer follows, be it a refusal, whether the page may read it. */
  #describe({ edits }: PolicyContext, origin: string | undefined): void {
    for (const name of SPOKEN_FOR) edits.removeResponseHeader(name);
    // Without an origin too: a cache must not hand this answer to a page.
    if (!this.#everyone) edits.appendResponseHeader('Vary', 'Origin');
    if (origin === undefined) return;
    edits.setResponseHeader('Access-Control-Allow-Origin', this.#everyone ? '*' : origin);
    if (this.#credentials) edits.setResponseHeader('Access-Control-Allow-Credentials', 'true');
    if (this.#exposed !== '') edits.setResponseHeader('Access-Control-Expose-Headers', this.#exposed);
  }
}

const DENIED: Decision = reject(
  new PolicyRejection('origin-denied', 'Pages of this origin may not call.', {
    rule: 'origins',
    reason: 'a preflight from an origin that is not listed',
    headers: Object.freeze(['Vary', PREFLIGHT_VARY]),
  }),
);
