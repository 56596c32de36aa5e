import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { ClientAuthPlan, ClientCertificate } from '../contract/index.ts';
import type { Certificates } from './certificates.ts';
import { clientCertificate } from './client-certificate.ts';

/** Node's own limit is only a net below ours, `headerTimeout`. */
const HANDSHAKE_MS = 120_000;
/** How OpenSSL says that a client has shown no certificate where one is required. */
const NO_CERTIFICATE = 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';

export interface SecureServerOwner {
  /** Asked at each handshake, so that new certificates need no new socket. */
  readonly certificates: Certificates | undefined;
  onHandshake(socket: TLSSocket): void;
  /** A handshake failed for the client's certificate. */
  onWrongCertificate(cause: string): void;
}

/** A server that makes connections of handshakes. Whether clients are asked for certificates is for good. */
export function createSecureServer(
  first: Certificates,
  clients: ClientAuthPlan | undefined,
  options: TlsOptions,
  owner: SecureServerOwner,
): Server {
  const server = createServer(
    {
      ...options,
      ...first.first,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_MS,
      SNICallback: (name, done) => done(null, owner.certificates?.pick(name)),
      requestCert: clients !== undefined,
      rejectUnauthorized: clients?.mode === 'required',
    },
    (socket) => owner.onHandshake(socket),
  );
  // A handshake that failed or took too long: Node only tells, and leaves the connection open.
  server.on('tlsClientError', (cause, socket) => {
    socket.destroy();
    const fault = faultOf(socket) ?? ('code' in cause && cause.code === NO_CERTIFICATE ? 'none' : undefined);
    if (fault !== undefined) owner.onWrongCertificate(fault);
  });
  return server;
}

/** What a handshake showed of the client, or why it is not taken. */
export type Shown =
  | { readonly certificate: ClientCertificate | undefined }
  | {
      /** OpenSSL's word for what is wrong, e.g. `CERT_REVOKED`. */
      readonly fault: string;
    };

const NOTHING: Shown = Object.freeze({ certificate: undefined });

/** The certificate a client was asked for. Never by Node's word alone: it calls a resumed session authorized. */
export function shownCertificate(socket: TLSSocket, clients: ClientAuthPlan | undefined): Shown {
  if (clients === undefined) return NOTHING;
  if (socket.isSessionReused()) return { fault: 'resumed' };
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return clients.mode === 'optional' ? NOTHING : { fault: 'none' };
  if (!socket.authorized) return { fault: faultOf(socket) ?? 'unverified' };
  try {
    return { certificate: clientCertificate(certificate) };
  } catch {
    return { fault: 'unreadable' };
  }
}

/** A code, though its type says otherwise; there is one too where no certificate was shown. */
function faultOf(socket: Socket & Partial<Pick<TLSSocket, 'authorizationError'>>): string | undefined {
  const { authorizationError } = socket;
  return authorizationError === undefined || authorizationError === null
    ? undefined
    : String(authorizationError);
}
