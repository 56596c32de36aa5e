import type { ClientCertificate, ConsumerDirectory, Identity } from '../../contract/index.ts';
import { validityFault } from '../../identity/index.ts';
import type { Callers, Fault } from './callers.ts';

const UNKNOWN: Fault = Object.freeze({ reason: 'no consumer has this certificate' });
const FAULTS = Object.freeze({
  expired: { reason: 'the credential has expired' },
  early: { reason: 'the credential is not valid yet' },
});

/** Certificates that consumers have as credentials, by their thumbprints. */
export class CredentialCallers implements Callers {
  readonly #consumers: ConsumerDirectory;

  constructor(consumers: ConsumerDirectory) {
    this.#consumers = consumers;
  }

  find({ thumbprint }: ClientCertificate, nowMs: number): Identity | Fault {
    const match = this.#consumers.find('mtls', thumbprint);
    if (match === undefined) return UNKNOWN;
    const fault = validityFault(match, nowMs);
    return fault === undefined ? match.identity : FAULTS[fault];
  }
}
