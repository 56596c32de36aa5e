/** The names in a certificate that rules look at (RFC 5280 §4.2.1.6). */
export interface AlternativeNames {
  /** Host names, lower case; those with a wildcard are no host's and left out. */
  readonly dns: readonly string[];
  readonly uris: readonly string[];
  readonly emails: readonly string[];
}

export const NO_NAMES: AlternativeNames = Object.freeze({
  dns: Object.freeze([]),
  uris: Object.freeze([]),
  emails: Object.freeze([]),
});

/** More, or a longer one, would be work for each rule that looks through them. */
const MAX_NAMES = 100;
const MAX_LENGTH = 16_384;

/** One entry as Node prints it: as it is where nothing in it could end it, else as JSON. */
const ENTRY = /([A-Za-z0-9 ]{1,32}):(?:("(?:[^"\\]|\\.)*")|([^"',\\]*))(, |$)/y;
const HOST = /^[a-z0-9_](?:[a-z0-9_-]{0,62}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}[a-z0-9_])?)*$/;
const WILDCARD = /^\*\./;
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/;
const EMAIL = /^[!-?A-~]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;

/**
 * Reads the subject alternative names of a certificate as Node prints them (`X509Certificate.subjectAltName`).
 * Undefined where any of them can be read in two ways, or is none (CVE-2021-44532: a name with `, DNS:…` in it; NUL):
 * then the certificate says nothing that can be relied on.
 */
export function readAlternativeNames(printed: string): AlternativeNames | undefined {
  if (printed.length > MAX_LENGTH) return undefined;
  const found: Readonly<Record<string, Set<string>>> = { DNS: new Set(), URI: new Set(), email: new Set() };
  for (let at = 0, count = 0; at < printed.length; count++) {
    ENTRY.lastIndex = at;
    const entry = ENTRY.exec(printed);
    if (entry === null || count === MAX_NAMES) return undefined;
    at = ENTRY.lastIndex;
    // A separator with nothing behind it.
    if (entry[4] !== '' && at === printed.length) return undefined;
    const value = entry[2] === undefined ? entry[3] : fromJson(entry[2]);
    if (value === undefined || !add(found[entry[1]], entry[1], value)) return undefined;
  }
  const { DNS, URI: uris, email } = found;
  return Object.freeze({
    dns: Object.freeze([...DNS]),
    uris: Object.freeze([...uris]),
    emails: Object.freeze([...email]),
  });
}

/** Whether the name is sound; addresses, directory names and others are not looked at. */
function add(names: Set<string> | undefined, kind: string, value: string): boolean {
  if (names === undefined) return true;
  if (kind !== 'DNS') {
    names.add(value);
    return (kind === 'URI' ? URI : EMAIL).test(value);
  }
  const host = value.toLowerCase();
  if (WILDCARD.test(host)) return HOST.test(host.slice(2));
  names.add(host);
  return HOST.test(host);
}

function fromJson(quoted: string): string | undefined {
  try {
    const value: unknown = JSON.parse(quoted);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
