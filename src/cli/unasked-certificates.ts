import type { GatewayDocument } from '../config/index.ts';

type Listener = GatewayDocument['listeners'][number];

/**
 * Notes on places that ask for a certificate which no client can show, since none of their listeners asks for one.
 * Not an error: beside other ways to prove who calls it is no fault, and without them nobody is let in.
 */
export function unaskedCertificates({ listeners, routes = [] }: GatewayDocument): readonly string[] {
  const ofListeners = listeners
    .filter((listener) => namesMtls(listener.policies) && !asks(listener))
    .map(({ name }) => `listener "${name}"`);
  const ofRoutes = routes
    .filter(({ policies, listeners: names }) => {
      const served = listeners.filter(({ name }) => names === undefined || names.includes(name));
      return namesMtls(policies) && !served.some(asks);
    })
    .map(({ name }) => `route "${name}"`);
  return [...ofListeners, ...ofRoutes].map(
    (place) =>
      `${place} has mtls, and clients are asked for no certificate there: tls.clientCa of a listener does that`,
  );
}

const asks = ({ tls }: Listener): boolean => tls?.clientCa !== undefined;

/** Whether an attachment, or one inside its config, is of `mtls`. */
function namesMtls(policies: unknown): boolean {
  if (Array.isArray(policies)) return policies.some(namesMtls);
  if (typeof policies !== 'object' || policies === null) return false;
  return Object.entries(policies).some(
    ([name, config]) => name === 'mtls' || (MEMBERS_OF.has(name) && namesMtls(config)),
  );
}

/** Where attachments stand inside others. */
const MEMBERS_OF: ReadonlySet<string> = new Set(['any-of', 'all-of', 'members']);
