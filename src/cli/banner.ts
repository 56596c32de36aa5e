import type { HostPort } from './options.ts';

export interface BannerFacts {
  readonly gateways: readonly { readonly listener: string; readonly host: string; readonly port: number }[];
  readonly admin: HostPort | undefined;
  readonly tokenPath: string | undefined;
  readonly records: string;
  /** Path of the demo's key, where there is one. */
  readonly demoKey: string | undefined;
  readonly revision: string;
  readonly workers: number;
}

/** What a person reads after the start: where things are, and one line to try. */
export function bannerText(facts: BannerFacts): string {
  const { gateways, admin, tokenPath, records, demoKey, revision, workers } = facts;
  const lines = gateways.map(
    ({ listener, host, port }) => `  gateway   http://${shown(host)}:${port}  (${listener})`,
  );
  if (admin !== undefined) lines.push(`  admin     http://${shown(admin.host)}:${admin.port}`);
  if (tokenPath !== undefined) lines.push(`  token     ${tokenPath}`);
  lines.push(
    `  records   ${records}`,
    `  revision  ${revision.slice(0, 12)}, ${workers} ${workers === 1 ? 'worker' : 'workers'}`,
  );
  const first = gateways[0];
  if (demoKey !== undefined && first !== undefined) {
    const url = `http://${shown(first.host)}:${first.port}/hello`;
    lines.push('', 'Try it:', `  curl -H "X-API-Key: $(cat '${demoKey}')" ${url}`);
  }
  return `Sallyport serves.\n${lines.join('\n')}\n`;
}

/** Where a person on this machine reaches a server bound to `host`. */
function shown(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
