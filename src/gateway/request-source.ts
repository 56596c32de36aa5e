import type { RequestSource } from '../evaluator/index.ts';
import type { RequestHead } from '../http1/index.ts';
import type { ExchangeHost } from './host.ts';

/** A request as it was understood on the wire; the same for whoever judges it, and however often. */
export function requestSource(
  id: string,
  head: RequestHead,
  { scheme, peer, certificate }: Pick<ExchangeHost, 'scheme' | 'peer' | 'certificate'>,
): RequestSource {
  const { method, methodOverride, target, headers, authority } = head;
  const httpVersion = head.minor === 1 ? '1.1' : '1.0';
  return { id, method, methodOverride, scheme, authority, target, headers, httpVersion, peer, certificate };
}
