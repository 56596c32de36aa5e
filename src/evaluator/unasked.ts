import type { Ban, BanList, EvaluationDeps, RequestView } from '../contract/index.ts';
import { PolicyRejection, RequestError } from '../errors.ts';
import type { RequestHead } from '../http1/index.ts';

const NO_TRACE = new PolicyRejection('method-not-allowed', 'TRACE is not served here.', {
  headers: ['Allow', 'GET'],
});
const BAD_EXPECT = new RequestError(
  'expectation-failed',
  'expect',
  'Only "Expect: 100-continue" is understood.',
);

/** What is refused whatever the policies say, so that none is asked. */
export function refusalUnasked(
  { method, expect }: Pick<RequestHead, 'method' | 'expect'>,
  { client }: Pick<RequestView, 'client'>,
  { bans, clock }: Pick<EvaluationDeps, 'clock'> & { readonly bans: Pick<BanList, 'find'> },
): PolicyRejection | RequestError | undefined {
  const ban = bans.find(client, clock.now());
  if (ban !== undefined) return banned(ban);
  // It would send the caller's credentials back to whoever made the caller ask (RFC 9110 §9.3.8).
  if (method === 'TRACE') return NO_TRACE;
  return expect === '' || expect.toLowerCase() === '100-continue' ? undefined : BAD_EXPECT;
}

/** Neither why nor for how long is the caller's to know. */
const banned = ({ id, network }: Pick<Ban, 'id' | 'network'>): PolicyRejection =>
  new PolicyRejection('address-banned', 'This address may not call here.', {
    rule: `ban:${id}`,
    reason: `${network} is banned`,
  });
