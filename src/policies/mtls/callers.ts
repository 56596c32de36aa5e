import type { ClientCertificate, Identity } from '../../contract/index.ts';

/** Why a certificate is not taken. */
export interface Fault {
  readonly reason: string;
}

/** Whose certificates are whose. */
export interface Callers {
  find(certificate: ClientCertificate, nowMs: number): Identity | Fault;
}
