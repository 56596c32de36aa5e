import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Nonces for DPoP proofs (RFC 9449 §9): one for everybody, made of a secret and the time. So all workers and nodes with
 * the secret accept each other's, and none has to be kept. One is accepted for its period and the next.
 */
export class ProofNonces {
  readonly #secret: string;
  readonly #periodMs: number;
  #period = -1;
  #current = '';
  #previous = '';

  constructor(secret: string, periodMs: number) {
    this.#secret = secret;
    this.#periodMs = periodMs;
  }

  /** The nonce that proofs should have now. */
  current(nowMs: number): string {
    this.#turn(nowMs);
    return this.#current;
  }

  accepts(nonce: string, nowMs: number): boolean {
    this.#turn(nowMs);
    return isSame(nonce, this.#current) || isSame(nonce, this.#previous);
  }

  #turn(nowMs: number): void {
    const period = Math.floor(nowMs / this.#periodMs);
    if (period === this.#period) return;
    this.#period = period;
    this.#current = this.#nonce(period);
    this.#previous = this.#nonce(period - 1);
  }

  #nonce(period: number): string {
    return createHmac('sha256', this.#secret).update(`dpop nonce ${period}`).digest('base64url').slice(0, 32);
  }
}

function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}
