import type { ListenerPlan } from '../contract/index.ts';

/**
 * What makes a listening socket: two plans with the same key share one across revisions, whatever their certificates.
 * Where connections begin otherwise, or clients are to prove what they were not asked for, none is taken over.
 */
export function listenerKey({ tls, host, port, proxyProtocol }: ListenerPlan): string {
  const start = tls === undefined ? 'tcp' : `tls ${tls.clients?.mode ?? 'none'}`;
  return `${proxyProtocol ? 'proxy ' : ''}${start} ${host} ${port}`;
}
