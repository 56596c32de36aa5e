import { hash } from 'node:crypto';
import type { Random } from '../../contract/index.ts';
import { TRANSACTION_MS } from './cookies.ts';

/** A sign-in under way: what the browser keeps, sealed, until it comes back from the provider. */
export interface Transaction {
  /** Ties the way back to the browser that began it (RFC 6749 §10.12). */
  readonly state: string;
  /** Ties the ID token to it (OpenID Connect Core §15.5.2). */
  readonly nonce: string;
  /** PKCE (RFC 7636 §4.1). */
  readonly verifier: string;
  readonly returnTo: string;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
}

const STAMP_LENGTH = 7;
const ID_LENGTH = STAMP_LENGTH + 8;
/** Seconds in base 36, then 40 random hexadecimal digits. */
const STATE = /^[0-9a-z]{7}[0-9a-f]{40}$/;

export function beginTransaction(returnTo: string, random: Random, nowMs: number): Transaction {
  const stamp = Math.floor(nowMs / 1000)
    .toString(36)
    .padStart(STAMP_LENGTH, '0');
  return {
    state: stamp + random.hex(20),
    nonce: random.hex(20),
    verifier: random.hex(32),
    returnTo,
    startedAtMs: nowMs,
  };
}

/** What its cookie is named by; undefined for a state that was not made here. Sorts by age. */
export const transactionId = (state: string): string | undefined =>
  STATE.test(state) ? state.slice(0, ID_LENGTH) : undefined;

/** `code_challenge` for S256 (RFC 7636 §4.2). */
export const challengeOf = ({ verifier }: Transaction): string => hash('sha256', verifier, 'base64url');

export function writeTransaction({ state, nonce, verifier, returnTo, startedAtMs }: Transaction): string {
  return JSON.stringify([state, nonce, verifier, returnTo, startedAtMs]);
}

/** The sign-in in a text that was sealed here, if it is this state's and not too old. */
export function readTransaction(text: string, state: string, nowMs: number): Transaction | undefined {
  const values = listIn(text);
  const [own, nonce, verifier, returnTo, startedAtMs] = values;
  if (own !== state || typeof nonce !== 'string' || typeof verifier !== 'string') return undefined;
  if (typeof returnTo !== 'string' || typeof startedAtMs !== 'number') return undefined;
  if (nowMs - startedAtMs > TRANSACTION_MS) return undefined;
  return { state, nonce, verifier, returnTo, startedAtMs };
}

/** Empty for what another program sealed with the same secret. */
function listIn(text: string): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return [];
  }
}
