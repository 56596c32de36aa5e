import { isObject } from '../../config/index.ts';
import type { LintListener } from './context.ts';
import type { LintRule } from './finding.ts';

/**
 * Not an error: beside other ways to prove who calls it is no fault, and without them nobody is let in.
 */
export const unaskedCertificate: LintRule = {
  id: 'unasked-certificate',
  severity: 'note',
  summary: 'mtls where no listener asks clients for a certificate',
  *check({ listeners, routes }) {
    for (const { name, path, config } of listeners) {
      if (namesMtls(config.policies) && !isAsking({ config })) yield finding(path, `listener "${name}"`);
    }
    for (const { name, path, config, listeners: served } of routes) {
      if (namesMtls(config.policies) && !served.some(isAsking)) yield finding(path, `route "${name}"`);
    }
  },
};

const finding = (path: readonly (string | number)[], place: string) => ({
  path: [...path, 'policies'],
  message: `${place} has mtls, and clients are asked for no certificate there`,
  fix: 'name the authorities of clients in tls.clientCa of a listener',
});

const isAsking = ({ config }: Pick<LintListener, 'config'>): boolean => config.tls?.clientCa !== undefined;

/** Whether an attachment, or one inside its config, is of `mtls`. */
function namesMtls(policies: unknown): boolean {
  if (Array.isArray(policies)) return policies.some(namesMtls);
  if (!isObject(policies)) return false;
  return Object.entries(policies).some(
    ([name, config]) => name === 'mtls' || (MEMBERS_OF.has(name) && namesMtls(config)),
  );
}

/** Where attachments stand inside others. */
const MEMBERS_OF: ReadonlySet<string> = new Set(['any-of', 'all-of', 'members']);
