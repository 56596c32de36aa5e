import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { ClientAuthPlan, DocumentFiles, Secrets, TlsPlan } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import type { DocumentPath } from '../document-path.ts';
import type { IssueList } from '../issues.ts';
import type { ListenerConfig } from '../schema/document.ts';
import { DEFAULT_TLS } from '../schema/listener.ts';
import { pemBlocks, readPem } from './pem.ts';

type TlsConfig = NonNullable<ListenerConfig['tls']>;

/** Reads the certificates a listener serves and those it asks for. Faults go to `issues`. */
export function compileTls(
  config: TlsConfig | undefined,
  path: DocumentPath,
  files: DocumentFiles,
  secrets: Secrets,
  issues: IssueList,
): TlsPlan | undefined {
  if (config === undefined) return undefined;
  const certificates = config.certificates.flatMap((pair, i) => {
    const place = [...path, 'certificates', i];
    const cert = issues.collect([...place, 'cert'], () => files.read(pair.cert));
    const key = issues.collect([...place, 'key'], () => secrets.resolve(pair.key));
    if (cert === undefined || key === undefined) return [];
    issues.collect(place, () => checkPair(cert, key));
    return [{ cert, key }];
  });
  return {
    certificates,
    minVersion: config.minVersion ?? DEFAULT_TLS.minVersion,
    clients: clientsOf(config, path, files, issues),
  };
}

/** A pair that does not fit would only fail at the first handshake. */
function checkPair(cert: string, key: string): void {
  const certificate = readPem('cert', () => new X509Certificate(cert));
  const privateKey = readPem('key', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw ConfigError.at('key', 'is not the key of this certificate');
  }
}

function clientsOf(
  config: TlsConfig,
  path: DocumentPath,
  files: DocumentFiles,
  issues: IssueList,
): ClientAuthPlan | undefined {
  const { clientCa, clientAuth, crl } = config;
  if (clientCa === undefined) {
    // What asks for nothing must not look switched on.
    for (const key of ['clientAuth', 'crl'] as const) {
      if (config[key] !== undefined)
        issues.add([...path, key], 'means nothing without clientCa', 'name the authorities in clientCa');
    }
    return undefined;
  }
  const ca = issues.collect([...path, 'clientCa'], () => authorities(files.read(clientCa)));
  const lists = issues.collect([...path, 'crl'], () =>
    crl === undefined ? [] : revocationLists(files.read(crl)),
  );
  return ca === undefined || lists === undefined
    ? undefined
    : { ca, crl: lists, mode: clientAuth ?? DEFAULT_TLS.clientAuth };
}

/** Checked for what would otherwise show only when every client is refused. */
function authorities(text: string): string {
  const blocks = pemBlocks(text, 'CERTIFICATE');
  if (blocks.length === 0) throw ConfigError.at('', 'holds no certificate in PEM');
  const all = blocks.map((block) => readPem('', () => new X509Certificate(block)));
  for (const [i, one] of all.entries()) {
    if (!one.ca) throw ConfigError.at('', `certificate ${i + 1} is not that of an authority`);
    if (all.some((other) => one.checkIssued(other))) continue;
    const problem = `certificate ${i + 1} is signed by an authority that is not in the file`;
    throw ConfigError.at('', problem, 'add those above it, up to the root');
  }
  return blocks.join('');
}

/** Each by itself: of several in one text only the first would be read. */
function revocationLists(text: string): readonly string[] {
  const lists = pemBlocks(text, 'X509 CRL');
  if (lists.length === 0) {
    const fix = 'convert DER with: openssl crl -inform DER';
    throw ConfigError.at('', 'holds no revocation list in PEM', fix);
  }
  readPem('', () => createSecureContext({ crl: [...lists] }));
  return lists;
}
