import type { CredentialFields, EditJournal, RequestView } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { credentialFields } from '../../identity/index.ts';
import { cookieValues } from '../../lib/cookie.ts';
import { type HeaderList, REPEATED } from '../../lib/header-list.ts';
import { parameterValues } from '../../lib/query-string.ts';
import type { ApiKeyConfig } from './schema.ts';

type Place = 'header' | 'query' | 'cookie';

/** A key as it was presented; '' where its place is there and empty. */
export interface PresentedKey {
  readonly place: Place;
  readonly key: string;
}

/** Several were presented: two keys are two identities, and which the upstream would believe is anybody's guess. */
export type Repeated = 'repeated';

const NONE: readonly string[] = Object.freeze([]);

/** Where keys are looked for. */
export class KeyPlaces {
  /** Lower case; '' for none, like the others. */
  readonly #header: string;
  readonly #scheme: string;
  readonly #query: string;
  readonly #cookie: string;

  /** Throws ConfigError. */
  constructor({ header = 'x-api-key', scheme = '', query = '', cookie = '' }: ApiKeyConfig) {
    this.#header = header === false ? '' : header.toLowerCase();
    this.#scheme = scheme.toLowerCase();
    this.#query = query;
    this.#cookie = cookie;
    if (this.#header === 'cookie') throw ConfigError.at('header', 'holds all cookies', 'use cookie: NAME');
    if (this.#header !== '') return;
    if (scheme !== '') throw ConfigError.at('scheme', 'stands before keys in a header, and header is false');
    if (query === '' && cookie === '') {
      throw ConfigError.at('header', 'is false, so no key could ever be presented', 'name query or cookie');
    }
  }

  get fields(): CredentialFields {
    return credentialFields([this.#header], [this.#query]);
  }

  /** The key, undefined for none. Only one place may hold one, and only once. */
  find({ headers, query }: RequestView): PresentedKey | Repeated | undefined {
    const inHeader = this.#header === '' ? undefined : this.#inHeader(headers);
    if (inHeader === 'repeated') return inHeader;
    if (this.#query === '' && this.#cookie === '') return inHeader;
    const inQuery = this.#query === '' ? NONE : parameterValues(query, this.#query);
    const inCookie = this.#cookie === '' ? NONE : cookieValues(headers, this.#cookie);
    if ((inHeader === undefined ? 0 : 1) + inQuery.length + inCookie.length > 1) return 'repeated';
    if (inQuery.length > 0) return { place: 'query', key: inQuery[0] };
    return inCookie.length > 0 ? { place: 'cookie', key: inCookie[0] } : inHeader;
  }

  /** Asks that the upstream does not see the key. */
  hide(place: Place, edits: EditJournal): void {
    if (place === 'header') edits.removeRequestHeader(this.#header);
    else if (place === 'query') edits.removeQueryParameter(this.#query);
    else edits.removeRequestCookie(this.#cookie);
  }

  #inHeader(headers: HeaderList): PresentedKey | Repeated | undefined {
    const value = headers.sole(this.#header);
    if (value === undefined) return undefined;
    if (value === REPEATED) return 'repeated';
    const key = this.#scheme === '' ? value : afterScheme(value, this.#scheme);
    return key === undefined ? undefined : { place: 'header', key };
  }
}

/** What follows a scheme and its spaces (RFC 9110 §11.6.2); undefined for another scheme. */
function afterScheme(value: string, scheme: string): string | undefined {
  let start = scheme.length;
  if (value.length < start || value.slice(0, start).toLowerCase() !== scheme) return undefined;
  if (value.length > start && value.charCodeAt(start) !== 0x20) return undefined;
  while (value.charCodeAt(start) === 0x20) start++;
  return value.slice(start);
}
