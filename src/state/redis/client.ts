import type { Cluster, Redis } from 'ioredis';
import { backoffMs } from './circuit.ts';
import type { StoreSettings } from './store-settings.ts';

/** Connections to the store, made and kept by the library. */
export type StoreClient = Redis | Cluster;

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1000;
const CONNECT_TIMEOUT_MS = 2000;
/** A connection that owes an answer for so long leads nowhere, also one that is only being made. */
const SILENCE_MS = 2000;
/** Also what tells a cluster's client of a replica that took over. */
const CLUSTER_REFRESH_MS = 1000;

/**
 * Connects, and again whenever the connection is gone, with pauses that differ between threads so that a store that comes
 * back is not run over. Nothing is queued while there is no connection, and nothing asked twice: a question that may have
 * been answered would count double. The library is loaded here, and only here.
 */
export async function connectStore(settings: StoreSettings): Promise<StoreClient> {
  const { Cluster, Redis } = await import('ioredis');
  const { kind, hosts, name, isTls, ca, database } = settings;
  const tls = isTls ? (ca === undefined ? {} : { ca }) : undefined;
  const common = {
    username: settings.username,
    password: settings.password,
    tls,
    protocol: 2 as const,
    disableClientInfo: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
  };
  // A primary that became a replica says so: the next connection finds the new one.
  const reconnectOnError = (error: Error): boolean => error.message.startsWith('READONLY');
  if (kind === 'cluster') {
    return new Cluster([...hosts], {
      enableOfflineQueue: false,
      clusterRetryStrategy: pause,
      slotsRefreshInterval: CLUSTER_REFRESH_MS,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      redisOptions: common,
      // Certificates name hosts, and the library would look their addresses up itself.
      dnsLookup: (address: string, callback: (error: null, address: string) => void) =>
        callback(null, address),
    });
  }
  if (kind === 'sentinel') {
    return new Redis({
      ...common,
      sentinels: [...hosts],
      name,
      db: database,
      sentinelTLS: tls,
      enableTLSForSentinelMode: isTls,
      sentinelRetryStrategy: pause,
      retryStrategy: pause,
      reconnectOnError,
      failoverDetector: true,
    });
  }
  const [{ host, port }] = hosts;
  return new Redis({ ...common, host, port, db: database, retryStrategy: pause, reconnectOnError });
}

const pause = (attempt: number): number =>
  backoffMs(attempt, FIRST_RETRY_MS, LONGEST_RETRY_MS, Math.random());
