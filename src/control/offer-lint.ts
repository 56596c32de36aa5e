import { type CheckedDocument, type ParsedDocument, type PolicyCatalog, readersOf } from '../config/index.ts';
import type { Clock, Snapshot } from '../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../errors.ts';
import { type Finding, loadLint } from '../lifecycle/index.ts';
import type { OfferedBundle } from './offered-bundle.ts';

/** So many are told of an offer; `sallyport check` tells all. */
const MAX_TOLD = 50;

export interface OfferLintDeps {
  readonly catalog: PolicyCatalog;
  readonly clock: Clock;
  /** Compiles what is served once more; it is disposed here. */
  readonly compiled: (bundle: OfferedBundle) => Promise<Snapshot>;
}

/**
 * What the lint has to say of a document that is to take the place of what is served. Throws ConfigError for what is unsafe,
 * unless what is served is so already: a certificate that ran out at night must not keep out the change that is needed then.
 */
export async function lintOffer(
  { document, bundle, snapshot }: CheckedDocument,
  { locate }: Pick<ParsedDocument, 'locate'>,
  served: OfferedBundle,
  deps: OfferLintDeps,
): Promise<readonly Finding[]> {
  const { catalog, clock } = deps;
  const { lint } = await loadLint();
  if (!catalog.isDocument(document)) return [];
  const { files } = readersOf(bundle);
  const findings = await lint({ document, snapshot, catalog, files, nowMs: clock.now() }, { locate });
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) {
    const known = await errorsOf(served, deps);
    const fresh = errors.filter((error) => !known.has(keyOf(error)));
    if (fresh.length > 0) throw new ConfigError(fresh.slice(0, MAX_TOLD).map(issueOf));
  }
  const weight = { error: 0, warning: 1, note: 2 };
  return findings.toSorted((a, b) => weight[a.severity] - weight[b.severity]).slice(0, MAX_TOLD);
}

async function errorsOf(served: OfferedBundle, deps: OfferLintDeps): Promise<ReadonlySet<string>> {
  const { catalog, clock, compiled } = deps;
  const { lint } = await loadLint();
  const document: unknown = JSON.parse(served.json);
  if (!catalog.isDocument(document)) return new Set();
  const snapshot = await compiled(served);
  try {
    const { files } = readersOf(served);
    const findings = await lint({ document, snapshot, catalog, files, nowMs: clock.now() });
    return new Set(findings.filter(({ severity }) => severity === 'error').map(keyOf));
  } finally {
    await snapshot.dispose();
  }
}

/** Without the numbers of its path: what stands before it may be another by now. */
const keyOf = ({ rule, path, message }: Finding): string =>
  JSON.stringify([rule, path.replaceAll(/\[\d+\]/g, '[]'), message]);

function issueOf({ rule, severity: _, fix, docs, message, ...place }: Finding): ConfigIssue {
  return { ...place, message: `${message} (${rule})`, suggestion: `${fix}; see ${docs}` };
}
