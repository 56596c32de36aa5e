import {
  CONTINUE,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
} from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { FieldKind, fieldKind, isFieldValue } from '../../http1/index.ts';
import { parseDuration } from '../../lib/duration.ts';
import { type SecurityHeadersConfig, securityHeadersSchema } from './schema.ts';

/** Tells browsers to be careful with every answer, refusals included. */
export const securityHeaders: PolicyDefinition<typeof securityHeadersSchema> = {
  name: 'security-headers',
  summary:
    'Adds the headers that make browsers careful and removes those that tell about the software behind.',
  schema: securityHeadersSchema,
  body: 'none',
  refuses: false,
  compile(config): Policy {
    return new SecurityHeadersPolicy(config);
  },
};

const PRESETS = {
  api: {
    frameOptions: 'DENY',
    contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
    referrerPolicy: 'no-referrer',
  },
  web: {
    frameOptions: 'SAMEORIGIN',
    contentSecurityPolicy: "frame-ancestors 'self'",
    referrerPolicy: 'strict-origin-when-cross-origin',
  },
} as const;

class SecurityHeadersPolicy implements Policy {
  /** Flat list: name, value. */
  readonly #set: readonly string[];
  readonly #remove: readonly string[];
  readonly #hsts: string | undefined;
  readonly #csp: string | undefined;

  constructor(config: SecurityHeadersConfig) {
    const preset = PRESETS[config.preset ?? 'api'];
    const set: string[] = [];
    if (config.contentTypeOptions ?? true) set.push('X-Content-Type-Options', 'nosniff');
    const frameOptions = config.frameOptions ?? preset.frameOptions;
    if (frameOptions !== false) set.push('X-Frame-Options', frameOptions);
    const referrerPolicy = config.referrerPolicy ?? preset.referrerPolicy;
    if (referrerPolicy !== false) set.push('Referrer-Policy', referrerPolicy);
    this.#set = set;
    this.#csp = policyText(config.contentSecurityPolicy ?? preset.contentSecurityPolicy);
    this.#hsts = config.hsts === false ? undefined : strictTransportSecurity(config.hsts ?? {});
    this.#remove = (config.remove ?? ['server', 'x-powered-by']).map(removable);
  }

  request(c: PolicyContext): Decision {
    const { edits } = c;
    for (const name of this.#remove) edits.removeResponseHeader(name);
    for (let i = 0; i < this.#set.length; i += 2) edits.setResponseHeader(this.#set[i], this.#set[i + 1]);
    // Added, not set: a browser obeys every policy it is given, so this can only make the upstream's stricter.
    if (this.#csp !== undefined) edits.appendResponseHeader('Content-Security-Policy', this.#csp);
    // Over plain HTTP it means nothing (RFC 6797 §7.2).
    if (this.#hsts !== undefined && c.request.scheme === 'https') {
      edits.setResponseHeader('Strict-Transport-Security', this.#hsts);
    }
    return CONTINUE;
  }
}

type Hsts = Exclude<SecurityHeadersConfig['hsts'], false | undefined>;

function strictTransportSecurity(hsts: Hsts): string {
  const seconds = Math.floor((parseDuration(hsts.maxAge ?? '365d') ?? 0) / 1000);
  if (hsts.preload === true && (hsts.includeSubDomains !== true || seconds < 31_536_000)) {
    const problem = 'preload lists take only names with includeSubDomains and a maxAge of 365d or more';
    throw ConfigError.at('hsts.preload', problem);
  }
  return `max-age=${seconds}${hsts.includeSubDomains ? '; includeSubDomains' : ''}${hsts.preload ? '; preload' : ''}`;
}

function policyText(text: string | false): string | undefined {
  if (text === false) return undefined;
  if (isFieldValue(text)) return text;
  throw ConfigError.at('contentSecurityPolicy', 'the text has characters that a header cannot carry');
}

/** Removing a header that frames the message would break it. */
function removable(name: string, i: number): string {
  const kind = fieldKind(name);
  if (kind === FieldKind.OTHER || kind === FieldKind.VIA) return name.toLowerCase();
  throw ConfigError.at(`remove[${i}]`, `"${name}" is not for a policy to remove`);
}
