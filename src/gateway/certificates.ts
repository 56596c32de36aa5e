import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsPlan } from '../contract/index.ts';

interface Certificate {
  readonly names: X509Certificate;
  readonly context: SecureContext;
}

/** A listener's certificates, parsed and ready; which one a client gets goes by the name it asks for (RFC 6066 §3). */
export class Certificates {
  readonly #all: readonly Certificate[];

  /** Throws when a certificate or key cannot be read, or the two do not belong together. */
  constructor(plan: TlsPlan) {
    this.#all = plan.certificates.map(({ cert, key }) => ({
      names: new X509Certificate(cert),
      context: createSecureContext({ cert, key, minVersion: 'TLSv1.2' }),
    }));
  }

  /** The first certificate for that name; the first of all where none is, or no name was given. */
  pick(serverName: string): SecureContext {
    const match = this.#all.find(({ names }) => names.checkHost(serverName) !== undefined);
    return (match ?? this.#all[0]).context;
  }
}
