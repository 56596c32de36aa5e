import type { ConfigIssue } from '../errors.ts';
import { issuesText } from './issues-text.ts';
import type { HostPort } from './options.ts';

export interface BannerFacts {
  readonly gateways: readonly GatewayFacts[];
  readonly admin: AdminFacts | undefined;
  readonly tokenPath: string | undefined;
  readonly records: string;
  /** Where several nodes have their store; undefined where it is this node's alone. */
  readonly store?: string | undefined;
  /** Where counters are shared; undefined where they are this node's alone. */
  readonly counters: string | undefined;
  /** Path of the demo's key, where a request with it is let on. */
  readonly demoKey: string | undefined;
  readonly revision: string;
  readonly workers: number;
  /** Path of the document, where another revision replaced it and it has not changed since. */
  readonly replaced?: string | undefined;
  /** What is served in place of the document on disk; undefined where that is served itself. */
  readonly lastGood: LastGoodFacts | undefined;
}

export interface GatewayFacts extends HostPort {
  readonly scheme: 'http' | 'https';
  readonly listener: string;
}

export interface AdminFacts extends HostPort {
  /** Whether other machines may reach it. */
  readonly isExposed: boolean;
}

export interface LastGoodFacts {
  /** Path of the document that cannot be served. */
  readonly config: string;
  /** Why it cannot. */
  readonly issues: readonly ConfigIssue[];
  /** Milliseconds since the epoch when the revision was last taken into service. */
  readonly savedAtMs: number;
}

/** What a person reads after the start: what is served, where things are, and one line to try. */
export function bannerText(facts: BannerFacts): string {
  const { gateways, admin, tokenPath, records, demoKey, lastGood } = facts;
  const lines = gateways.map((gateway) => `  gateway   ${urlOf(gateway)}  (${gateway.listener})`);
  if (admin !== undefined) lines.push(...adminLines(admin));
  if (tokenPath !== undefined) lines.push(`  token     ${tokenPath}`);
  lines.push(`  records   ${records}`);
  if (facts.store !== undefined) lines.push(`  store     ${facts.store}`);
  if (facts.counters !== undefined) lines.push(`  counters  ${facts.counters}`);
  lines.push(`  revision  ${revisionText(facts)}`);
  if (facts.replaced !== undefined) lines.push(`            ${replacedText(facts.replaced)}`);
  const first = gateways[0];
  if (demoKey !== undefined && first !== undefined) {
    lines.push('', 'Try it:', `  curl -H "X-API-Key: $(cat '${demoKey}')" ${urlOf(first)}/hello`);
  }
  const head = lastGood === undefined ? 'Sallyport serves.\n' : lastGoodText(lastGood);
  return `${head}${lines.join('\n')}\n`;
}

function adminLines(admin: AdminFacts): string[] {
  const line = `  admin     ${urlOf({ scheme: 'http', ...admin })}`;
  return admin.isExposed ? [line, EXPOSED] : [line];
}

const EXPOSED =
  '  WARNING   other machines may reach the admin side, and nothing of its traffic is encrypted, the token included';

function revisionText({ revision, workers, lastGood }: BannerFacts): string {
  const since = lastGood === undefined ? '' : ` of ${new Date(lastGood.savedAtMs).toISOString()}`;
  return `${revision.slice(0, 12)}${since}, ${workers} ${workers === 1 ? 'worker' : 'workers'}`;
}

const replacedText = (config: string): string =>
  `from the store: it replaced ${config}, which is served again once it changes`;

/** Whoever starts a document must not believe that it is the one in service. */
function lastGoodText({ config, issues }: LastGoodFacts): string {
  if (issues.length === 0) {
    return (
      `Sallyport serves the LAST GOOD REVISION, not ${config}: it had taken the place of that, and the store cannot be\n` +
      'asked what is active now.\n'
    );
  }
  return (
    `${issuesText(issues)}\n` +
    `Sallyport serves the LAST GOOD REVISION, not ${config}, which is refused for what stands above.\n` +
    `"sallyport check ${config}" and "sallyport test ${config}" say it again; once mended, it is taken at once.\n`
  );
}

const urlOf = ({ scheme, host, port }: Omit<GatewayFacts, 'listener'>): string =>
  `${scheme}://${shown(host)}:${port}`;

/** Where a person on this machine reaches a server bound to `host`. */
function shown(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
