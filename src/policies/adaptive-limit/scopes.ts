import { MISDEEDS, type Misdeed } from '../../limits/index.ts';

/**
 * Names of the counters of one kind of caller. A scope for each, since each has a window of its own and no text is to be
 * made for a request.
 */
export interface Scopes {
  readonly points: string;
  readonly faultless: string;
  readonly recent: string;
  readonly admitted: string;
  readonly minutes: string;
  readonly minute: string;
  readonly kinds: Readonly<Record<Misdeed, string>>;
}

export const scopesOf = (scope: string): Scopes => ({
  points: `${scope} points`,
  faultless: `${scope} faultless`,
  recent: `${scope} recent`,
  admitted: `${scope} admitted`,
  minutes: `${scope} minutes`,
  minute: `${scope} minute`,
  kinds: kindScopes(scope),
});

function kindScopes(scope: string): Readonly<Record<Misdeed, string>> {
  const kinds: Record<Misdeed, string> = {
    'failed-authentication': '',
    unauthenticated: '',
    forbidden: '',
    waf: '',
    validation: '',
    'not-found': '',
    rate: '',
    error: '',
  };
  for (const kind of MISDEEDS) kinds[kind] = `${scope} ${kind}`;
  return kinds;
}
