import type { CompileDeps } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { ClaimMapping } from '../../identity/index.ts';
import { parseByteSize } from '../../lib/byte-size.ts';
import { parseDuration } from '../../lib/duration.ts';
import { atOption } from '../../lib/option-path.ts';
import type { AnswerRules, IdentityHeaders } from './answer.ts';
import { headerNames } from './field-rules.ts';
import { Memory } from './memory.ts';
import type { QuestionRules } from './question.ts';
import type { ExternalAuthConfig } from './schema.ts';

/** A config made ready. */
export interface ExternalAuthRules {
  readonly question: QuestionRules;
  readonly answer: AnswerRules;
  /** Undefined where no body is sent. */
  readonly maxBodyBytes: number | undefined;
  readonly memory: Memory | undefined;
  /** Headers by which requests are told apart in the memory. Lower case. */
  readonly keyHeaders: readonly string[];
  /** Whether the service is sent what callers present on purpose, so that its refusal is about that. */
  readonly sendsAuthorization: boolean;
  /** Headers that no client may say in the service's place. Lower case. */
  readonly vouchesFor: readonly string[];
}

/** Sent headers that say who calls: requests that differ in them never share a decision. */
const CREDENTIALS: readonly string[] = ['authorization', 'cookie'];

/** Throws ConfigError. */
export function compileRules(config: ExternalAuthConfig, deps: CompileDeps): ExternalAuthRules {
  const issues: ConfigIssue[] = [];
  const requestHeaders = headerNames(config, 'requestHeaders', issues);
  const upstreamHeaders = headerNames(config, 'upstreamHeaders', issues);
  const clientHeaders = headerNames(config, 'clientHeaders', issues);
  const { mode = 'nginx', url, ca } = config;
  checkTogether(config, requestHeaders, issues);
  if (issues.length > 0) throw new ConfigError(issues);
  const identity = config.identity === undefined ? undefined : identityHeaders(config.identity, deps);
  const method = config.method ?? (config.body === undefined ? 'GET' : 'POST');
  const { consumer, groups, scopes } = identity ?? {};
  return {
    question: {
      mode,
      url: mode === 'envoy' ? url.replace(/\/$/, '') : url,
      method,
      requestHeaders,
      timeoutMs: parseDuration(config.timeout ?? '2s') ?? 0,
      ca: ca === undefined ? undefined : atOption('ca', () => deps.files.read(ca)),
    },
    answer: { mode, service: new URL(url).host, upstreamHeaders, clientHeaders, identity },
    maxBodyBytes: config.body === undefined ? undefined : parseByteSize(config.body),
    memory: memoryOf(config.cache),
    keyHeaders: config.cache?.by?.map((name) => name.toLowerCase()) ?? requestHeaders,
    sendsAuthorization: requestHeaders.includes('authorization'),
    vouchesFor: [...new Set([...upstreamHeaders, ...[consumer, groups, scopes].filter(isName)])],
  };
}

const isName = (name: string | undefined): name is string => name !== undefined;

function memoryOf(cache: ExternalAuthConfig['cache']): Memory | undefined {
  if (cache === undefined) return undefined;
  return new Memory(parseDuration(cache.ttl) ?? 0, cache.maxEntries ?? 10_000);
}

function identityHeaders(
  { consumer, groups, scopes, prefix, declared }: NonNullable<ExternalAuthConfig['identity']>,
  deps: CompileDeps,
): IdentityHeaders {
  const more = {
    ...(prefix === undefined ? {} : { prefix }),
    ...(declared === undefined ? {} : { declared }),
  };
  return {
    consumer: consumer.toLowerCase(),
    groups: groups?.toLowerCase(),
    scopes: scopes?.toLowerCase(),
    mapping: new ClaimMapping({ consumer: 'consumer', groups: 'groups', scopes: 'scopes', ...more }, deps),
  };
}

/** What is right by itself and wrong together. */
function checkTogether(
  { mode, url, method, body, identity, cache, timeout }: ExternalAuthConfig,
  requestHeaders: readonly string[],
  issues: ConfigIssue[],
): void {
  const refuse = (path: string, message: string, suggestion: string): void => {
    issues.push({ path, message, suggestion });
  };
  if (!URL.canParse(url)) refuse('url', 'is no URL', 'write it like http://auth.internal:9000/verify');
  if (parseDuration(timeout ?? '2s') === 0)
    refuse('timeout', 'leaves no time for an answer', 'leave it out, or write 2s');
  if (mode === 'envoy' && url.includes('?'))
    refuse('url', 'has a query, behind which no path can be put', 'take the query out, or use mode: nginx');
  if (mode === 'envoy' && method !== undefined)
    refuse('method', 'is that of the request in mode envoy', 'take it out');
  if (body !== undefined && (method === 'GET' || method === 'HEAD'))
    refuse('method', `${method} has no body`, 'use POST, or take body out');
  if (body !== undefined && identity !== undefined) {
    const problem = 'cannot be told once the body is there: rules behind it are asked before';
    refuse('identity', problem, 'take body out, or identify callers by another policy before');
  }
  if (body !== undefined && cache !== undefined)
    refuse('cache', 'cannot tell bodies apart', 'take cache out, or body');
  for (const [i, name] of (cache?.by ?? []).entries())
    if (!requestHeaders.includes(name.toLowerCase()))
      refuse(`cache.by[${i}]`, `the service is not sent "${name}"`, 'add it to requestHeaders');
  const by = cache?.by?.map((name) => name.toLowerCase());
  for (const name of CREDENTIALS)
    if (by !== undefined && requestHeaders.includes(name) && !by.includes(name))
      refuse(
        'cache.by',
        `the service is sent "${name}", so callers would share decisions`,
        `add ${name} to it, or take it out of requestHeaders`,
      );
}
