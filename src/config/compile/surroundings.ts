import type { LiveData, Resources } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { didYouMean } from '../../lib/suggest.ts';
import type { PolicyCatalog } from '../catalog.ts';
import { sha256Hex } from '../digest.ts';
import type { IssueList } from '../issues.ts';
import { isObject, memberOf } from '../json-shape.ts';
import { BruteForceSchema } from '../schema/brute-force.ts';
import { compileGuard } from './brute-force.ts';
import type { Surroundings } from './world.ts';

/** What the policies of a document stand in. Sections of unsound form count as left out: their faults are told elsewhere. */
export function surroundingsOf(
  document: unknown,
  catalog: PolicyCatalog,
  live: LiveData,
  resources: Resources,
  issues: IssueList,
): Surroundings {
  const written = memberOf(document, 'bruteForce');
  const bruteForce = catalog.is(BruteForceSchema, written) ? written : undefined;
  const lists = memberOf(document, 'lists');
  const names = isObject(lists) ? Object.keys(lists) : [];
  return {
    guard: compileGuard(bruteForce, issues),
    resources,
    revocations: live.revocations,
    lists: {
      list(name) {
        if (names.includes(name)) return live.lists.list(name);
        const suggestion = didYouMean(name, names) ?? 'declare it under lists';
        throw ConfigError.at('', `there is no list "${name}"`, suggestion);
      },
    },
    fingerprint: sha256Hex(canonicalJson([bruteForce ?? {}, [...names].sort()])),
  };
}
