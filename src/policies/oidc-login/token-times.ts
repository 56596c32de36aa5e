import type { Claims } from '../../identity/index.ts';
import type { Tokens } from './provider-client.ts';
import type { TokenTimes } from './session.ts';
import type { Settings } from './settings.ts';

/** So long before their end, or a quarter of their life, tokens are renewed: nobody sends one that ends on its way. */
const AHEAD_MS = 60_000;

/**
 * When a session's tokens are to be renewed and when they are over. Where the upstream gets one that is its time. Where
 * it gets none, they matter only if they can be renewed: the provider is then asked whether the user is still there.
 */
export function tokenTimes(
  upstream: Settings['upstream'],
  tokens: Tokens,
  claims: Claims,
  nowMs: number,
): TokenTimes {
  const { lifetimeMs, refreshToken } = tokens;
  const untilMs =
    upstream === 'id-token' ? endOf(claims) : lifetimeMs === undefined ? undefined : nowMs + lifetimeMs;
  if (untilMs === undefined || (upstream === 'none' && refreshToken === undefined))
    return { renewAtMs: undefined, untilMs: undefined };
  const aheadMs = Math.min(AHEAD_MS, Math.max(0, untilMs - nowMs) / 4);
  // Never at once, or one request would renew without end.
  const renewAtMs = Math.max(nowMs + 1, Math.floor(untilMs - aheadMs));
  return { renewAtMs: refreshToken === undefined ? undefined : renewAtMs, untilMs };
}

const endOf = ({ exp }: Claims): number | undefined => (typeof exp === 'number' ? exp * 1000 : undefined);
