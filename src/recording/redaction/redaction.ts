import { hash } from 'node:crypto';
import type { CredentialFields, DecisionEntry } from '../../contract/index.ts';
import { holdsSecretShape } from '../../lib/secret-shapes.ts';
import type { Unweighted } from '../record-line.ts';
import { FieldRedaction } from './redact-fields.ts';
import { redactIdentity } from './redact-identity.ts';
import { redactTarget, secretValues, WITHHELD } from './redact-target.ts';
import { holdsSecretValue } from './value-secrets.ts';

/** A request as it came, before anything of it is left out. The body was looked through already. */
export type Unredacted = Omit<Unweighted, 'withheld'>;

/** Takes out of requests what must not be kept. */
export class Redaction {
  readonly #fields = new FieldRedaction();
  readonly #query = new Set<string>();

  /**
   * Where the policies of another document read credentials. What was a credential by one document is none less by the
   * next: callers go on to send it for a while, and begin before it is asked for.
   */
  learn({ headers, query }: CredentialFields): void {
    this.#fields.learn(headers);
    for (const name of query) this.#query.add(name);
  }

  /** `params`: what the route took from the path. */
  redact(request: Unredacted, params: Readonly<Record<string, string>>): Unweighted {
    const { headers, withheld } = this.#fields.redact(request.headers, secretValues(params));
    const { target, query, isPathWithheld } = redactTarget(request.target, this.#query, params);
    const caller = request.identity === undefined ? undefined : redactIdentity(request.identity);
    return {
      ...request,
      requestId: redactId(request.requestId),
      method: holdsSecretShape(request.method) ? WITHHELD : request.method,
      target,
      headers,
      withheld: {
        headers: withheld,
        query,
        ...(isPathWithheld ? PATH_WITHHELD : {}),
        ...(caller === undefined || caller.withheld.length === 0 ? {} : { claims: caller.withheld }),
      },
      identity: caller?.identity,
      decisions: request.decisions.some(isTelltale) ? request.decisions.map(redactEntry) : request.decisions,
    };
  }
}

const PATH_WITHHELD: { readonly path: true } = Object.freeze({ path: true });

/** Callers may choose it. It stays one of its own, so that repetitions are seen. */
const redactId = (id: string): string =>
  holdsSecretShape(id) ? `${WITHHELD}-${hash('sha256', id).slice(0, 16)}` : id;

/** A policy's words for the operator are to hold no secret; one that forgets it must not be the way out. */
const isTelltale = ({ reason }: DecisionEntry): boolean => reason !== undefined && holdsSecretValue(reason);

const redactEntry = (entry: DecisionEntry): DecisionEntry =>
  isTelltale(entry) ? { ...entry, reason: WITHHELD } : entry;
