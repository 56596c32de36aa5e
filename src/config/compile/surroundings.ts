import type { LiveData, Resources, Secrets } from '../../contract/index.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { formatCidr } from '../../lib/cidr.ts';
import type { BinaryFiles } from '../binary-files.ts';
import type { PolicyCatalog } from '../catalog.ts';
import { sha256Hex } from '../digest.ts';
import type { IssueList } from '../issues.ts';
import { memberOf } from '../json-shape.ts';
import { BruteForceSchema } from '../schema/brute-force.ts';
import { GeoSchema } from '../schema/list.ts';
import { compileGuard } from './brute-force.ts';
import { GeoFiles } from './geo.ts';
import { listHandles } from './list-handles.ts';
import { type DocumentLists, readLists } from './lists.ts';
import type { Surroundings } from './world.ts';

export interface SurroundingsDeps {
  readonly catalog: PolicyCatalog;
  readonly live: LiveData;
  readonly resources: Resources;
  readonly secrets: Secrets;
  readonly binaries: BinaryFiles;
}

/** What the policies of a document stand in. Sections of unsound form count as left out: their faults are told elsewhere. */
export function surroundingsOf(document: unknown, deps: SurroundingsDeps, issues: IssueList): Surroundings {
  const { catalog, live, resources, secrets, binaries } = deps;
  const written = memberOf(document, 'bruteForce');
  const bruteForce = catalog.is(BruteForceSchema, written) ? written : undefined;
  const geo = memberOf(document, 'geo');
  const geoPaths = catalog.is(GeoSchema, geo) ? geo : {};
  const lists = readLists(document, catalog, secrets, issues);
  return {
    guard: compileGuard(bruteForce, issues),
    resources,
    revocations: live.revocations,
    lists: listHandles(lists, live.lists),
    geo: new GeoFiles(geoPaths, binaries, resources),
    fingerprint: sha256Hex(canonicalJson([bruteForce ?? {}, geoPaths, ...namesAndEntries(lists)])),
  };
}

/** What of the lists is compiled into their handles: feeds are live. */
function namesAndEntries({ inline, feeds }: DocumentLists): unknown[] {
  const entries = [...inline].map(([name, list]) => [
    name,
    list.map(({ network, untilMs, why }) => [formatCidr(network), String(untilMs), why]),
  ]);
  return [Object.fromEntries(entries), feeds.map(({ name }) => name).sort()];
}
