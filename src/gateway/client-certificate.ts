import { hash, type X509Certificate } from 'node:crypto';
import type { ClientCertificate } from '../contract/index.ts';
import { NO_NAMES, readAlternativeNames } from '../lib/alternative-names.ts';
import { formatDistinguishedName, readPrintedName, valuesOf } from '../lib/distinguished-name.ts';

/**
 * What rules may look at in a certificate whose chain was verified. What can be read in two ways is left empty, so
 * that no rule holds by it: a subject that is no name, several common names, alternative names that are none.
 */
export function clientCertificate(certificate: X509Certificate): ClientCertificate {
  const subject = readPrintedName(certificate.subject ?? '');
  const issuer = readPrintedName(certificate.issuer ?? '');
  const commonNames = subject === undefined ? [] : valuesOf(subject, 'CN');
  return Object.freeze({
    subject: subject === undefined ? '' : formatDistinguishedName(subject),
    commonName: commonNames.length === 1 ? commonNames[0] : '',
    issuer: issuer === undefined ? '' : formatDistinguishedName(issuer),
    serial: certificate.serialNumber.toLowerCase().replace(/^0+(?=.)/, ''),
    names: readAlternativeNames(certificate.subjectAltName ?? '') ?? NO_NAMES,
    thumbprint: hash('sha256', certificate.raw, 'base64url'),
    // What is no time is long past.
    expiresAtMs: Date.parse(certificate.validTo) || 0,
  });
}
