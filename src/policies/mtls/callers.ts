import type { ClientCertificate, Identity } from '../../contract/index.ts';

/** Why a certificate is not taken. A guess is counted against its sender; what was right once is nobody's guess. */
export interface Fault {
  readonly kind: 'guess' | 'wrong';
  readonly reason: string;
}

/** Whose certificates are whose. */
export interface Callers {
  find(certificate: ClientCertificate, nowMs: number): Identity | Fault;
}
