import type { DocumentFiles, ListenerLimits, ListenerPlan, Secrets } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { parseByteSize } from '../../lib/byte-size.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { CidrSet } from '../../lib/cidr-set.ts';
import { parseDuration } from '../../lib/duration.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import type { DocumentPath } from '../document-path.ts';
import type { IssueList } from '../issues.ts';
import type { ListenerConfig } from '../schema/document.ts';
import { DEFAULT_LIMITS } from '../schema/listener.ts';
import { compileTls } from './tls.ts';

/** A listener without its routes and policies. */
export type ListenerFrame = Omit<ListenerPlan, 'router' | 'pipeline'>;

const HOST_NAME = /^(?=.*[A-Za-z])[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

/** Turns a listener's settings into plain values. Faults go to `issues`. */
export function compileListener(
  config: ListenerConfig,
  path: DocumentPath,
  files: DocumentFiles,
  secrets: Secrets,
  issues: IssueList,
): ListenerFrame {
  const { host, port } = addressOf(config.address, [...path, 'address'], issues);
  return {
    name: config.name,
    host,
    port,
    tls: compileTls(config.tls, [...path, 'tls'], files, secrets, issues),
    proxyProtocol: proxyProtocolOf(config, [...path, 'proxyProtocol'], issues),
    trusts: trustOf(config.trustedProxies ?? [], [...path, 'trustedProxies'], issues),
    limits: limitsOf(config.limits ?? {}, [...path, 'limits'], issues),
    revisionHeader: config.revisionHeader ?? true,
    encodedSlashes: config.encodedSlashes ?? 'reject',
    semicolons: config.semicolons ?? 'reject',
    underscoreHeaders: config.underscoreHeaders ?? 'reject',
    methodOverride: config.methodOverride ?? 'reject',
  };
}

function addressOf(text: string, path: DocumentPath, issues: IssueList): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  const written = text.slice(0, colon);
  const host = written.startsWith('[') ? written.slice(1, -1) : written;
  const port = Number(text.slice(colon + 1));
  if (parseIpAddress(host) === undefined && !HOST_NAME.test(host)) {
    issues.add(path, 'is neither an IP address nor a host name before the port');
  }
  if (port > 65_535) issues.add(path, 'has a port above 65535');
  return { host, port };
}

function proxyProtocolOf(config: ListenerConfig, path: DocumentPath, issues: IssueList): boolean {
  if (config.proxyProtocol !== 'required') return false;
  if (config.trustedProxies === undefined || config.trustedProxies.length === 0) {
    issues.add(path, 'nobody is trusted to say whose a connection is', 'name the proxies in trustedProxies');
  }
  return true;
}

const trustsNobody = (): boolean => false;

function trustOf(networks: readonly string[], path: DocumentPath, issues: IssueList): ListenerPlan['trusts'] {
  if (networks.length === 0) return trustsNobody;
  const entries = networks.flatMap((text, i) => {
    const network = parseCidr(text);
    if (!('fault' in network)) return [{ network, value: 0 }];
    issues.add([...path, i], network.fault, network.suggestion);
    return [];
  });
  const set = CidrSet.from(entries);
  return (peer) => set.lookup(peer) !== -1;
}

function limitsOf(
  config: NonNullable<ListenerConfig['limits']>,
  path: DocumentPath,
  issues: IssueList,
): ListenerLimits {
  const written = { ...DEFAULT_LIMITS, ...config };
  const bytes = (key: 'headerBytes' | 'targetBytes' | 'bodyBytes' | 'minBodyRate'): number =>
    sizeOf(written[key]);
  const ms = (key: 'headerTimeout' | 'bodyTimeout' | 'idleTimeout' | 'writeTimeout'): number =>
    positiveMs(written[key], [...path, key], issues);
  const limits = {
    headerBytes: bytes('headerBytes'),
    headers: written.headers,
    targetBytes: bytes('targetBytes'),
    bodyBytes: bytes('bodyBytes'),
    headerTimeoutMs: ms('headerTimeout'),
    bodyTimeoutMs: ms('bodyTimeout'),
    idleTimeoutMs: ms('idleTimeout'),
    writeTimeoutMs: ms('writeTimeout'),
    minBodyBytesPerSecond: bytes('minBodyRate'),
    connections: written.connections,
    connectionsPerAddress: written.connectionsPerAddress,
    newConnections: config.newConnections,
    newConnectionsPerAddress: config.newConnectionsPerAddress,
  };
  if (limits.headerBytes < 256 || limits.headerBytes > 1_000_000) {
    issues.add([...path, 'headerBytes'], 'must be between 256B and 1MB');
  }
  if (limits.targetBytes < 1 || limits.targetBytes > limits.headerBytes) {
    issues.add([...path, 'targetBytes'], 'must be at least 1B and no more than headerBytes');
  }
  return Object.freeze(limits);
}

/** Bytes of a text that the schema has already accepted. */
export function sizeOf(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === undefined) throw new InternalError('a size passed the schema and is none');
  return bytes;
}

/** Milliseconds of a text that the schema has already accepted; a time of nothing is a fault. */
export function positiveMs(text: string, path: DocumentPath, issues: IssueList): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InternalError('a duration passed the schema and is none');
  if (ms < 1 || ms > MAX_TIMER_MS) issues.add(path, 'must be longer than 0 and at most 24d');
  return ms;
}

/** Timers take 31 bits of milliseconds; a longer one would fire at once. */
const MAX_TIMER_MS = 24 * 86_400_000;
