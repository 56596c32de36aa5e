import type { CredentialFields, PolicyContext, RequestView } from '../contract/index.ts';
import { credentialFields, REPEATED_CREDENTIAL } from '../identity/index.ts';
import { cookieValues } from '../lib/cookie.ts';
import { parameterValues } from '../lib/query-string.ts';
import { findBearer, type PresentedToken } from './bearer.ts';

/** Where a token may be beside `Authorization`; names of headers in lower case. */
export interface OtherPlaces {
  readonly header?: string | undefined;
  readonly cookie?: string | undefined;
  readonly query?: string | undefined;
}

/** A token and where it was. */
export interface PlacedToken extends PresentedToken {
  readonly place: 'authorization' | keyof OtherPlaces;
}

/**
 * Finds the one token of a request. What is not in `Authorization` counts as a bearer token (RFC 6750 §2). What it is
 * made of is looked at by who reads it.
 */
export class TokenPlaces {
  readonly #schemes: readonly string[];
  readonly #other: OtherPlaces;
  readonly #hasOther: boolean;

  /** `schemes`: of `Authorization`, in lower case. */
  constructor(schemes: readonly string[], other: OtherPlaces) {
    this.#schemes = schemes;
    this.#other = other;
    this.#hasOther = Object.values(other).some((name) => name !== undefined);
  }

  get fields(): CredentialFields {
    const { header, query } = this.#other;
    return credentialFields(['authorization', header], [query]);
  }

  /** Undefined when there is none, a text saying why what is there is none: of two, the upstream may believe the other. */
  read(request: RequestView): PlacedToken | string | undefined {
    const presented = findBearer(request.headers, this.#schemes);
    if (typeof presented === 'string') return presented;
    if (!this.#hasOther) return presented === undefined ? undefined : inAuthorization(presented);
    const others = this.#others(request);
    if (others.length + (presented === undefined ? 0 : 1) > 1) return REPEATED_CREDENTIAL;
    return presented === undefined ? others[0] : inAuthorization(presented);
  }

  /** Keeps it from the upstream. */
  hide(c: PolicyContext, place: PlacedToken['place']): void {
    const { header, cookie, query } = this.#other;
    if (place === 'authorization') c.edits.removeRequestHeader('authorization');
    else if (place === 'header' && header !== undefined) c.edits.removeRequestHeader(header);
    else if (place === 'cookie' && cookie !== undefined) c.edits.removeRequestCookie(cookie);
    else if (place === 'query' && query !== undefined) c.edits.removeQueryParameter(query);
  }

  #others({ headers, query }: RequestView): readonly PlacedToken[] {
    const { header, cookie, query: parameter } = this.#other;
    return [
      ...placed('header', header === undefined ? [] : headers.getAll(header)),
      ...placed('cookie', cookie === undefined ? [] : cookieValues(headers, cookie)),
      ...placed('query', parameter === undefined ? [] : parameterValues(query, parameter)),
    ];
  }
}

const inAuthorization = ({ scheme, token }: PresentedToken): PlacedToken => ({
  scheme,
  token,
  place: 'authorization',
});

/** An empty value is no token. */
const placed = (place: keyof OtherPlaces, values: readonly string[]): readonly PlacedToken[] =>
  values.flatMap((token) => (token === '' ? [] : [{ scheme: 'bearer', token, place }]));
