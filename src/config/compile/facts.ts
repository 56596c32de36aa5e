import type { FactKey } from '../../contract/index.ts';
import type { PolicyCatalog } from '../catalog.ts';
import type { IssueList } from '../issues.ts';
import type { PlacedAttachment } from './attachments.ts';

/**
 * Checks the order of one pipeline: whatever an attachment needs, an earlier one must provide. What only a shadow
 * attachment provides is no help to one in enforce: shadow never acts, not even through another policy.
 */
export function checkFacts(
  pipeline: readonly PlacedAttachment[],
  where: string,
  catalog: PolicyCatalog,
  issues: IssueList,
): void {
  const enforced = new Set<FactKey>();
  const any = new Set<FactKey>();
  for (const [i, { attachment, path, needs, provides }] of pipeline.entries()) {
    const isEnforced = attachment.mode === 'enforce';
    const known = isEnforced ? enforced : any;
    for (const fact of needs) {
      if (known.has(fact)) continue;
      const missing = any.has(fact)
        ? `needs the ${fact}, which before it is only provided in shadow`
        : `needs the ${fact}, which no policy before it provides`;
      const fix = laterProvider(fact, pipeline.slice(i + 1)) ?? suggestion(fact, any.has(fact), catalog);
      issues.add(path, `${missing} (${where})`, fix);
    }
    for (const fact of provides) {
      any.add(fact);
      if (isEnforced) enforced.add(fact);
    }
  }
}

function laterProvider(fact: FactKey, behind: readonly PlacedAttachment[]): string | undefined {
  const late = behind.find(
    ({ attachment, provides }) => attachment.mode === 'enforce' && provides.includes(fact),
  );
  return late === undefined ? undefined : `put ${late.attachment.policy}, which stands behind it, first`;
}

function suggestion(fact: FactKey, inShadow: boolean, catalog: PolicyCatalog): string {
  if (inShadow) return 'set this one to mode: shadow too, or enforce the other';
  const providers = catalog.definitions
    // Those that provide it with some configs only are no sure help.
    .filter(({ provides }) => Array.isArray(provides) && provides.includes(fact))
    .map((d) => d.name);
  return `put one of these before it: ${providers.join(', ')}`;
}
