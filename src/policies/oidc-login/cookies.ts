import type { EditJournal } from '../../contract/index.ts';
import { type HeaderList, sameName } from '../../lib/header-list.ts';

/** How the gateway's cookies are written. */
export interface CookieRules {
  /** With its prefix. */
  readonly name: string;
  readonly domain: string | undefined;
  readonly path: string;
  readonly secure: boolean;
  readonly sameSite: 'Lax' | 'Strict' | 'None';
  /** Undefined: until the browser is closed. */
  readonly maxAgeMs: number | undefined;
}

/** The gateway's own cookies in a request. */
export interface OwnCookies {
  /** Every name found, each once: none of them goes on to the upstream. */
  readonly names: readonly string[];
  /** More than there ever are: somebody makes them up. */
  readonly isFlood: boolean;
  /** What the session's cookies carry together; '' for none. `broken`: parts are missing. `repeated`: one is there twice. */
  readonly session:
    | { readonly kind: 'value'; readonly value: string }
    | { readonly kind: 'broken' }
    | { readonly kind: 'repeated' };
  /** Values of sign-ins that are under way, by name. */
  readonly transactions: ReadonlyMap<string, string>;
}

/** Browsers take 4,096 bytes of name and value (RFC 6265bis §5.5). */
const PART_LENGTH = 3800;
/** With what else stands in a head this stays within a listener's 32 kB. */
const MAX_PARTS = 5;
/** Sign-ins under way at once: tabs that were restored together. */
const MAX_TRANSACTIONS = 4;
/** Work per cookie is bounded by this: a request may have a thousand. */
const MAX_OWN = 32;
/** Names of sign-ins as they are made here; others are never written back. */
const TRANSACTION_ID = /^[0-9a-z]{15}$/;
/** A page may wait for its user so long. */
export const TRANSACTION_MS = 600_000;

const NO_SESSION: OwnCookies['session'] = Object.freeze({ kind: 'value', value: '' });
const NO_COOKIES: OwnCookies = Object.freeze({
  names: Object.freeze([]),
  isFlood: false,
  session: NO_SESSION,
  transactions: new Map<string, string>(),
});

/**
 * Reads and writes the gateway's cookies: the session's, in parts `NAME`, `NAME.1`, … where one is too small, and one
 * for each sign-in under way, `NAME.t…`.
 */
export class Cookies {
  readonly #rules: CookieRules;

  constructor(rules: CookieRules) {
    this.#rules = rules;
  }

  read(headers: HeaderList): OwnCookies {
    const { name } = this.#rules;
    let found: Map<string, string> | undefined;
    let repeated = false;
    const { flat } = headers;
    for (let i = 0; i < flat.length; i += 2) {
      if (!sameName(flat[i], 'cookie') || !flat[i + 1].includes(name)) continue;
      for (const pair of flat[i + 1].split(';')) {
        const equals = pair.indexOf('=');
        const key = pair.slice(0, Math.max(0, equals)).trim();
        if (key !== name && !key.startsWith(`${name}.`)) continue;
        found ??= new Map();
        repeated ||= found.has(key);
        found.set(key, pair.slice(equals + 1).trim());
      }
    }
    return found === undefined ? NO_COOKIES : this.#sorted(found, repeated);
  }

  /** Takes them all out of what the upstream receives; in a flood the others with them. */
  hide({ names, isFlood }: OwnCookies, edits: EditJournal): void {
    if (isFlood) edits.removeRequestHeader('cookie');
    else for (const name of names) edits.removeRequestCookie(name);
  }

  /**
   * Fields that write a session over the one of the request, as a flat list; undefined when it is larger than cookies
   * can carry. Every method that writes returns fields: what was decided says where they belong.
   */
  setSession(value: string, before: OwnCookies): string[] | undefined {
    const { name, maxAgeMs, sameSite } = this.#rules;
    const parts = Math.ceil((value.length + 1) / PART_LENGTH);
    if (parts > MAX_PARTS) return undefined;
    const text = `${parts}${value}`;
    const fields = before.names.flatMap((old) => (this.#isPartFrom(old, parts) ? this.#clear(old) : []));
    for (let i = 0; i < parts; i++) {
      const part = text.slice(i * PART_LENGTH, (i + 1) * PART_LENGTH);
      fields.push(...this.#write(partName(name, i), part, sameSite, maxAgeMs));
    }
    return fields;
  }

  /** Ends the session's cookies that are in the request. */
  clearSession(before: OwnCookies): string[] {
    return before.names.flatMap((old) => (this.#isPartFrom(old, 0) ? this.#clear(old) : []));
  }

  /** Adds a sign-in. Beyond what may be under way at once the oldest are given up: names begin with their time. */
  addTransaction(id: string, value: string, before: OwnCookies): string[] {
    const underWay = [...before.transactions.keys()].sort();
    const givenUp = underWay.slice(0, Math.max(0, underWay.length - MAX_TRANSACTIONS + 1));
    // A strict cookie would not come back with the browser from the provider's site.
    const sameSite = this.#rules.sameSite === 'None' ? 'None' : 'Lax';
    return [
      ...givenUp.flatMap((name) => this.#clear(name)),
      ...this.#write(this.transactionName(id), value, sameSite, TRANSACTION_MS),
    ];
  }

  endTransaction(id: string): string[] {
    return this.#clear(this.transactionName(id));
  }

  transactionName(id: string): string {
    return `${this.#rules.name}.t${id}`;
  }

  #sorted(found: ReadonlyMap<string, string>, repeated: boolean): OwnCookies {
    const names = [...found.keys()];
    const isFlood = names.length > MAX_OWN;
    const prefix = this.transactionName('');
    const isTransaction = (name: string) =>
      name.startsWith(prefix) && TRANSACTION_ID.test(name.slice(prefix.length));
    const transactions = isFlood ? [] : [...found].filter(([name]) => isTransaction(name));
    return {
      names,
      isFlood,
      session: repeated || isFlood ? { kind: 'repeated' } : this.#joined(found),
      transactions: new Map(transactions),
    };
  }

  #joined(found: ReadonlyMap<string, string>): OwnCookies['session'] {
    const { name } = this.#rules;
    const first = found.get(name);
    if (first === undefined) {
      const hasParts = [...found.keys()].some((key) => this.#isPartFrom(key, 0));
      return hasParts ? { kind: 'broken' } : NO_SESSION;
    }
    const parts = first.charCodeAt(0) - 0x30;
    if (!(parts >= 1 && parts <= MAX_PARTS)) return { kind: 'broken' };
    let value = first.slice(1);
    for (let i = 1; i < parts; i++) {
      const part = found.get(partName(name, i));
      if (part === undefined) return { kind: 'broken' };
      value += part;
    }
    return { kind: 'value', value };
  }

  /** Whether it is the session's part number `from` or a later one. */
  #isPartFrom(name: string, from: number): boolean {
    for (let i = from; i < MAX_PARTS; i++) if (name === partName(this.#rules.name, i)) return true;
    return false;
  }

  #clear(name: string): string[] {
    return this.#write(name, '', this.#rules.sameSite, 0);
  }

  #write(
    name: string,
    value: string,
    sameSite: CookieRules['sameSite'],
    maxAgeMs: number | undefined,
  ): string[] {
    const { path, domain, secure } = this.#rules;
    const attributes = [
      `Path=${path}`,
      ...(domain === undefined ? [] : [`Domain=${domain}`]),
      ...(maxAgeMs === undefined ? [] : [`Max-Age=${Math.floor(maxAgeMs / 1000)}`]),
      ...(secure ? ['Secure'] : []),
      'HttpOnly',
      `SameSite=${sameSite}`,
    ];
    return ['Set-Cookie', `${name}=${value}; ${attributes.join('; ')}`];
  }
}

const partName = (name: string, part: number): string => (part === 0 ? name : `${name}.${part}`);
