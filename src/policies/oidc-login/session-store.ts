import { hash } from 'node:crypto';
import type { PolicyContext } from '../../contract/index.ts';
import type { ClaimMapping, TokenCaller } from '../../identity/index.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import type { Cookies, OwnCookies } from './cookies.ts';
import type { Seal } from './seal.ts';
import { readSession, type Session, writeSession } from './session.ts';

/** A session that was opened, and whom it names; a text says why it names nobody. */
export interface Known {
  readonly session: Session;
  readonly caller: TokenCaller | string;
}

/** Sessions remembered in a worker: some 10 kB each, tokens included. */
const MAX_KNOWN = 2000;

/** Sessions in cookies. Those that were opened are remembered by the hash of their cookie, so that none is opened twice. */
export class SessionStore {
  readonly #seal: Seal;
  readonly #cookies: Cookies;
  readonly #mapping: ClaimMapping;
  readonly #issuer: string;
  readonly #known = new RecentMap<string, Known>(MAX_KNOWN);

  constructor(seal: Seal, cookies: Cookies, mapping: ClaimMapping, issuer: string) {
    this.#seal = seal;
    this.#cookies = cookies;
    this.#mapping = mapping;
    this.#issuer = issuer;
  }

  remembered(value: string): Known | undefined {
    return this.#known.get(digestOf(value));
  }

  /** Opens what is not remembered. */
  open(value: string): Known | 'foreign' | 'forged' {
    const opened = this.#seal.open(value);
    if (opened.kind !== 'opened') return opened.kind;
    const session = readSession(opened.text);
    return session === undefined ? 'foreign' : this.#remember(value, session);
  }

  /** Whom a session names. */
  callerOf(session: Session): TokenCaller | string {
    const facts = { kind: 'oidc-login', issuer: this.#issuer, id: session.id };
    return this.#mapping.caller(session.claims, facts);
  }

  /** Fields that put a session into the browser. Throws Error for one that no browser would keep. */
  write(c: PolicyContext, session: Session, before: OwnCookies): readonly string[] {
    const value = this.#seal.seal(writeSession(session), c.deps.random);
    const fields = this.#cookies.setSession(value, before);
    if (fields === undefined)
      throw new Error(
        `the session is larger than cookies can carry (${value.length} characters): the provider puts too much into its tokens`,
      );
    this.#remember(value, session);
    return fields;
  }

  #remember(value: string, session: Session): Known {
    const known = { session, caller: this.callerOf(session) };
    this.#known.set(digestOf(value), known);
    return known;
  }
}

const digestOf = (value: string): string => hash('sha256', value, 'base64url');
