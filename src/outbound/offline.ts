import type { Network, Resources } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
import { ResourcePool } from './resource-pool.ts';

/** The network of checks, tests and replay: nothing is there. */
export const OFFLINE: Network = Object.freeze({
  send: () =>
    Promise.reject(new NetworkError('offline', 'there is no network here: nothing is asked of others')),
});

/** Resources that never do anything by themselves: for documents that are checked and not served. */
export function offlineResources(): Resources {
  return new ResourcePool({
    network: OFFLINE,
    clock: { now: () => 0, monotonic: () => 0 },
    random: { hex: (bytes) => '00'.repeat(bytes) },
    log: { info: noop, warn: noop, error: noop },
    schedule: () => noop,
  });
}

function noop(): void {}
