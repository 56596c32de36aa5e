import type { PolicyContext } from '../contract/index.ts';
import { isObject } from './compact-jws.ts';

/** What whoever presents a token must prove beside having it (RFC 7800 §3.1). */
export interface Confirmation {
  /** Thumbprint of the key that signs a DPoP proof (RFC 9449 §6.1); undefined for none. */
  readonly proofKey: string | undefined;
  /** Thumbprint of the certificate of the TLS connection (RFC 8705 §3.1); undefined for none. */
  readonly certificate: string | undefined;
}

const NOTHING: Confirmation = Object.freeze({ proofKey: undefined, certificate: undefined });
/** A SHA-256 in base64url. */
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

/**
 * The `cnf` claim. A text says why it cannot be decided by: a way to confirm that is not known here must not become
 * no confirmation at all.
 */
export function readConfirmation(cnf: unknown): Confirmation | string {
  if (cnf === undefined) return NOTHING;
  if (!isObject(cnf)) return 'the confirmation of the token is no object';
  const { jkt, 'x5t#S256': x5t, ...unknown } = cnf;
  if (Object.keys(unknown).length > 0) return 'the token is bound in a way that is not known here';
  if (jkt === undefined && x5t === undefined) return 'the confirmation of the token is empty';
  if (![jkt, x5t].every((one) => one === undefined || isThumbprint(one)))
    return 'the token is bound to no thumbprint';
  return {
    proofKey: isThumbprint(jkt) ? jkt : undefined,
    certificate: isThumbprint(x5t) ? x5t : undefined,
  };
}

/** Why the certificate of a request does not confirm its token; undefined where it does, or need not. */
export function certificateFault(
  { request }: PolicyContext,
  { certificate }: Confirmation,
  isRequired: 'required' | 'optional',
): string | undefined {
  if (certificate === undefined)
    return isRequired === 'required' ? 'the token is bound to no certificate' : undefined;
  if (request.certificate === undefined) return 'the token is bound to a certificate, and none was presented';
  return request.certificate.thumbprint === certificate
    ? undefined
    : 'the token is bound to another certificate';
}

const isThumbprint = (value: unknown): value is string => typeof value === 'string' && THUMBPRINT.test(value);
