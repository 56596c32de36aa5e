import { constants, hash, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsPlan } from '../contract/index.ts';

interface Certificate {
  readonly names: X509Certificate;
  readonly context: SecureContext;
}

/** A listener's certificates, parsed and ready; which one a client gets goes by the name it asks for (RFC 6066 §3). */
export class Certificates {
  /** For clients that name no server: the first, with all that a handshake goes by. */
  readonly first: SecureContextOptions;
  readonly #all: readonly Certificate[];

  /** Throws when a certificate, key or list cannot be read, or certificate and key do not belong together. */
  constructor(plan: TlsPlan) {
    const rules = handshakeRules(plan);
    this.first = { ...plan.certificates[0], ...rules };
    // Each has the authorities of clients too: the context that is picked verifies, not the listener's first.
    this.#all = plan.certificates.map(({ cert, key }) => ({
      names: new X509Certificate(cert),
      context: createSecureContext({ cert, key, ...rules }),
    }));
  }

  /** The first certificate for that name; the first of all where none is, or no name was given. */
  pick(serverName: string): SecureContext {
    const match = this.#all.find(({ names }) => names.checkHost(serverName) !== undefined);
    return (match ?? this.#all[0]).context;
  }
}

/**
 * What holds whatever certificate is shown. A resumed session would bring back what was proved under older
 * authorities and lists, for as long as the client goes on resuming: where clients prove anything, each handshake is
 * whole. A renegotiation could only be asked for to make work.
 */
function handshakeRules({ minVersion, clients }: TlsPlan): SecureContextOptions {
  const { SSL_OP_NO_RENEGOTIATION, SSL_OP_NO_TICKET } = constants;
  if (clients === undefined) return { minVersion, secureOptions: SSL_OP_NO_RENEGOTIATION };
  return {
    minVersion,
    secureOptions: SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET,
    ca: clients.ca,
    ...(clients.crl.length === 0 ? {} : { crl: [...clients.crl] }),
  };
}

/** By what a client is judged in its handshake: while this stays the same, so does what it proved. */
export function clientRules(tls: TlsPlan | undefined): string {
  const clients = tls?.clients;
  if (clients === undefined) return '';
  return hash('sha256', [clients.mode, clients.ca, ...clients.crl].join('\n'), 'base64url');
}
