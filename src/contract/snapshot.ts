import type { IpAddress } from '../lib/ip-address.ts';
import type { DecisionEntry, Mode, OnError, Phase } from './decision.ts';
import type { Policy, PolicyContext } from './policy.ts';
import type { Priority } from './priority.ts';
import type { RecordingPlan } from './recorded.ts';

/** A policy with its config at a place, ready to run. */
export interface Attachment {
  /** Stable id: `listener:NAME/POLICY` or `route:NAME/POLICY`, with `#2`… for repeats or `@NAME` when named. */
  readonly id: string;
  readonly policy: string;
  readonly mode: Exclude<Mode, 'off'>;
  readonly onError: OnError;
  /** Compiled `when`; throws when it cannot be decided. */
  readonly when: ((c: PolicyContext) => boolean) | undefined;
  readonly instance: Policy;
  readonly body: 'none' | 'buffer' | 'stream';
  /** Whether it proves who calls: where an evaluation is told who does, it is not asked. */
  readonly authenticates: boolean;
  /** What is recorded when it lets a request on, by phase: made once (evaluator's `makeAttachment`). */
  readonly continued: Readonly<Record<Phase, DecisionEntry>>;
  /** What is recorded when its `when` is false. */
  readonly skipped: DecisionEntry;
}

/** The attachments of one place in the order written, split by phase so that no phase pays for another. */
export interface Pipeline {
  readonly request: readonly Attachment[];
  readonly requestBody: readonly Attachment[];
  readonly response: readonly Attachment[];
  readonly responseChunk: readonly Attachment[];
  /** Whether any attachment asks for the whole request body before the upstream sees a byte. */
  readonly buffersBody: boolean;
}

export interface RoutePlan {
  readonly name: string;
  /** Its place in the document, from 0: what a worker keeps for each route is kept in lists. */
  readonly index: number;
  /** Listener policies first, then the route's own. */
  readonly pipeline: Pipeline;
  /** Name of the upstream. */
  readonly upstream: string;
  /** How much its requests matter when there is not room for all. Default `normal`. */
  readonly priority: Priority;
  /** Overrides the listener's body limit. */
  readonly maxBodyBytes: number | undefined;
  /** Whether upgrades (WebSocket) are tunnelled. */
  readonly upgrade: boolean;
}

/** What a router says of a request. */
export type RouteMatch =
  | { readonly kind: 'found'; readonly route: RoutePlan; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'method-not-allowed'; readonly allow: readonly string[] }
  | { readonly kind: 'none' };

export interface Router {
  match(
    host: string,
    path: string,
    method: string,
    headers: { get(name: string): string | undefined },
  ): RouteMatch;
}

export interface ListenerLimits {
  /** Request line and header fields together, in bytes. Default 32 kB. */
  readonly headerBytes: number;
  /** Number of header fields. Default 100. */
  readonly headers: number;
  /** Request target in bytes. Default 8 kB. */
  readonly targetBytes: number;
  /** Default 10 MB. */
  readonly bodyBytes: number;
  /** From the first byte of a request to the end of its head. Default 10 s. */
  readonly headerTimeoutMs: number;
  /** Longest silence while a request body is awaited. Default 30 s. */
  readonly bodyTimeoutMs: number;
  /** Between requests on a kept connection. Default 60 s. */
  readonly idleTimeoutMs: number;
  /** Longest time a client may take none of the bytes offered to it. Default 30 s. */
  readonly writeTimeoutMs: number;
  /** Body bytes per second that a client must send on average; 0 for any. Default 240. */
  readonly minBodyBytesPerSecond: number;
  /** Open connections of the node, over all its workers. Default 10,000. */
  readonly connections: number;
  /** Open connections of the node from one client address (IPv6 by /64). Default 1,000. */
  readonly connectionsPerAddress: number;
  /** New connections per second of the node; undefined (default) for any number. */
  readonly newConnections: number | undefined;
  /** The same from one client address. */
  readonly newConnectionsPerAddress: number | undefined;
}

/** When requests are refused since there are too many for this worker. */
export interface OverloadPlan {
  /** How late the event loop may be for a tenth of a second on end, in milliseconds. */
  readonly lagMs: number;
  /** From when on memory is short: a share of what there is, or resident bytes of the process. */
  readonly memory: { readonly share: number } | { readonly bytes: number };
  /** What who is refused is told to wait. */
  readonly retryAfterMs: number;
}

export interface ListenerPlan {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: TlsPlan | undefined;
  /** Whether every connection begins with a PROXY header of a trusted peer, which says whose it is. */
  readonly proxyProtocol: boolean;
  /** Whether this peer's forwarding headers, and its PROXY header, are believed. */
  readonly trusts: (peer: IpAddress) => boolean;
  readonly limits: ListenerLimits;
  /** Whether answers carry `x-policy-revision`. */
  readonly revisionHeader: boolean;
  /** `%2F` in a path: refused (default), or kept as it is. */
  readonly encodedSlashes: 'reject' | 'keep';
  /** `;` in a path, which some servers cut away before they match: refused (default), or kept. */
  readonly semicolons: 'reject' | 'keep';
  /** Header names with `_`: refused (default), or kept. */
  readonly underscoreHeaders: 'reject' | 'keep';
  /** Fields that ask for another method than the request line's: refused (default), or kept and seen by rules. */
  readonly methodOverride: 'reject' | 'keep';
  readonly router: Router;
  /** Runs where no route matches, so that a listener's policies see every request. */
  readonly pipeline: Pipeline;
}

export interface TlsPlan {
  readonly certificates: readonly { readonly cert: string; readonly key: string }[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** How clients prove themselves by certificates; undefined: they are not asked for any. */
  readonly clients: ClientAuthPlan | undefined;
}

export interface ClientAuthPlan {
  /** PEM of the authorities that may sign clients, roots included. */
  readonly ca: string;
  /** PEM, one list each. Where there is any, every authority of a chain needs one that is in force. */
  readonly crl: readonly string[];
  /** `required`: no handshake without a certificate; `optional`: without one, but never with a wrong one. */
  readonly mode: 'required' | 'optional';
}

export interface TargetPlan {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Prefixed to every path; '' for none. */
  readonly basePath: string;
  readonly weight: number;
}

export interface UpstreamPlan {
  readonly name: string;
  readonly targets: readonly TargetPlan[];
  readonly balance: 'round-robin' | 'least-requests';
  /** PEM of the CAs that may sign `https://` targets; undefined for the system's. */
  readonly ca: string | undefined;
  /** Name to verify and send as SNI; undefined for the target's host. */
  readonly serverName: string | undefined;
  /** Host header sent: the client's (`preserve`, default) or the target's. */
  readonly hostHeader: 'preserve' | 'target';
  readonly connectTimeoutMs: number;
  /** From the request sent to the head of the answer. */
  readonly responseTimeoutMs: number;
  /** Longest silence inside an answer's body. */
  readonly idleTimeoutMs: number;
  /** Idle kept connections per target and worker. */
  readonly maxIdleConnections: number;
  /** Tries of a connection that could not be made (nothing was sent yet). */
  readonly connectAttempts: number;
  /** Passive failure detection: failures in a row before a target rests, and how long it rests. */
  readonly passive: { readonly failures: number; readonly restMs: number };
}

/** A revision compiled for serving. Immutable; every request is pinned to one from start to end. */
export interface Snapshot {
  /** Hash of the document's canonical form: `sha256:` is left out, 64 hex digits. */
  readonly revision: string;
  readonly listeners: readonly ListenerPlan[];
  readonly upstreams: ReadonlyMap<string, UpstreamPlan>;
  /** Undefined: nobody is refused for it. */
  readonly overload: OverloadPlan | undefined;
  /** Undefined: nothing is recorded. */
  readonly recording: RecordingPlan | undefined;
  /** All attachments once, for probes. */
  readonly attachments: readonly Attachment[];
  /** Called when the last request on it has ended. */
  dispose(): Promise<void>;
}
