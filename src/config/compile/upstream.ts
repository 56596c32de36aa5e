import { X509Certificate } from 'node:crypto';
import type { DocumentFiles, TargetPlan, UpstreamPlan } from '../../contract/index.ts';
import type { DocumentPath } from '../document-path.ts';
import type { IssueList } from '../issues.ts';
import type { UpstreamConfig } from '../schema/document.ts';
import { DEFAULT_UPSTREAM } from '../schema/upstream.ts';
import { positiveMs } from './listener.ts';
import { readPem } from './pem.ts';

/** Turns an upstream's settings into plain values. Faults go to `issues`. */
export function compileUpstream(
  name: string,
  config: UpstreamConfig,
  path: DocumentPath,
  files: DocumentFiles,
  issues: IssueList,
): UpstreamPlan {
  const timeouts = config.timeouts ?? {};
  const passive = config.passive ?? {};
  const ms = (text: string, ...place: string[]): number => positiveMs(text, [...path, ...place], issues);
  return Object.freeze({
    name,
    targets: config.targets.flatMap((target, i) => targetOf(target, [...path, 'targets', i], issues) ?? []),
    balance: config.balance ?? DEFAULT_UPSTREAM.balance,
    ca: authoritiesOf(config.ca, path, files, issues),
    serverName: config.serverName,
    hostHeader: config.hostHeader ?? DEFAULT_UPSTREAM.hostHeader,
    connectTimeoutMs: ms(timeouts.connect ?? DEFAULT_UPSTREAM.connect, 'timeouts', 'connect'),
    responseTimeoutMs: ms(timeouts.response ?? DEFAULT_UPSTREAM.response, 'timeouts', 'response'),
    idleTimeoutMs: ms(timeouts.idle ?? DEFAULT_UPSTREAM.idle, 'timeouts', 'idle'),
    maxIdleConnections: config.maxIdleConnections ?? DEFAULT_UPSTREAM.maxIdleConnections,
    connectAttempts: config.connectAttempts ?? DEFAULT_UPSTREAM.connectAttempts,
    passive: {
      failures: passive.failures ?? DEFAULT_UPSTREAM.failures,
      restMs: ms(passive.rest ?? DEFAULT_UPSTREAM.rest, 'passive', 'rest'),
    },
  });
}

function targetOf(
  config: UpstreamConfig['targets'][number],
  path: DocumentPath,
  issues: IssueList,
): TargetPlan | undefined {
  const { url: text, weight = 1 } = typeof config === 'string' ? { url: config } : config;
  if (!URL.canParse(text)) {
    issues.add(typeof config === 'string' ? path : [...path, 'url'], 'is not a valid URL');
    return undefined;
  }
  const url = new URL(text);
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const standardPort = scheme === 'https' ? 443 : 80;
  return Object.freeze({
    scheme,
    host: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
    port: url.port === '' ? standardPort : Number(url.port),
    basePath: url.pathname.replace(/\/$/, ''),
    weight,
  });
}

function authoritiesOf(
  reference: string | undefined,
  path: DocumentPath,
  files: DocumentFiles,
  issues: IssueList,
): string | undefined {
  if (reference === undefined) return undefined;
  const pem = issues.collect([...path, 'ca'], () => files.read(reference));
  if (pem !== undefined) issues.collect(path, () => readPem('ca', () => new X509Certificate(pem)));
  return pem;
}
