import { X509Certificate } from 'node:crypto';
import { type DocumentPath, pemBlocks } from '../../config/index.ts';
import { ConfigError } from '../../errors.ts';
import type { LintContext } from './context.ts';
import type { Found, LintRule, Severity } from './finding.ts';

const DAY_MS = 86_400_000;
/** Time enough to renew by hand. */
const SOON_MS = 30 * DAY_MS;

/** An outage with a known date. */
export const certificateExpiry: LintRule = {
  id: 'certificate-expiry',
  severity: 'warning',
  summary: 'A certificate that has expired (an error), expires within 30 days or is not valid yet',
  *check(c) {
    for (const { path, config, plan } of c.listeners) {
      const { tls } = plan;
      if (tls === undefined) continue;
      for (const [i, { cert }] of tls.certificates.entries())
        yield* each(cert, [...path, 'tls', 'certificates', i, 'cert'], c.nowMs, 'the certificate');
      if (tls.clients === undefined || config.tls?.clientCa === undefined) continue;
      yield* authorities(tls.clients.ca, [...path, 'tls', 'clientCa'], c.nowMs, 'clients');
    }
    for (const [name, { ca }] of c.snapshot.upstreams) {
      if (ca !== undefined) yield* authorities(ca, ['upstreams', name, 'ca'], c.nowMs, 'targets');
    }
    yield* ofConsumers(c);
  },
};

/** Those that consumers are known by. A client's own is refused in the handshake, whatever the document says. */
function* ofConsumers({ document, files, nowMs }: LintContext): Generator<Found> {
  for (const [i, { name, credentials = [] }] of (document.consumers ?? []).entries()) {
    for (const [j, { mtls }] of credentials.entries()) {
      if (mtls?.certificate === undefined) continue;
      const path = ['consumers', i, 'credentials', j, 'mtls', 'certificate'];
      yield* each(files.read(mtls.certificate), path, nowMs, `the certificate of "${name}"`);
    }
  }
}

function* each(pem: string, path: DocumentPath, nowMs: number, what: string): Generator<Found> {
  for (const certificate of read(pem)) {
    const state = stateOf(certificate, nowMs);
    if (state !== undefined) {
      const { severity, words } = state;
      yield { path, severity, message: `${what} ${subjectOf(certificate)} ${words}`, fix: 'renew it' };
    }
  }
}

/** One of several that is over keeps out only whom it has signed; when all are, everybody. */
function* authorities(pem: string, path: DocumentPath, nowMs: number, whom: string): Generator<Found> {
  const states = read(pem).map((certificate) => ({ certificate, state: stateOf(certificate, nowMs) }));
  const isWhole = states.every(({ state }) => state?.severity === 'error');
  for (const { certificate, state } of states) {
    if (state === undefined) continue;
    yield {
      path,
      severity: isWhole ? 'error' : 'warning',
      message: `the authority ${subjectOf(certificate)} of ${whom} ${state.words}`,
      fix: 'put its successor beside it, and take it out when nothing is signed by it any more',
    };
  }
}

interface Validity {
  readonly severity: Severity;
  readonly words: string;
}

function stateOf({ validFrom, validTo }: X509Certificate, nowMs: number): Validity | undefined {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  if (nowMs < from) return { severity: 'error', words: `is not valid before ${dayOf(from)}` };
  if (nowMs >= to) return { severity: 'error', words: `expired on ${dayOf(to)}` };
  if (to - nowMs > SOON_MS) return undefined;
  const days = Math.ceil((to - nowMs) / DAY_MS);
  return {
    severity: 'warning',
    words: `expires on ${dayOf(to)}, in ${days} ${days === 1 ? 'day' : 'days'}`,
  };
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The common name where there is one, else the serial number: enough to tell which of a file is meant. */
function subjectOf({ subject, serialNumber }: X509Certificate): string {
  const name = /^CN=(.*)$/m.exec(subject ?? '')?.[1];
  return name === undefined ? `number ${serialNumber}` : `"${name}"`;
}

/** The compile has found them readable; what is none is passed over. */
function read(pem: string): readonly X509Certificate[] {
  try {
    return pemBlocks(pem, 'CERTIFICATE').map((block) => new X509Certificate(block));
  } catch (error) {
    if (error instanceof ConfigError || (error instanceof Error && 'code' in error)) return [];
    throw error;
  }
}
