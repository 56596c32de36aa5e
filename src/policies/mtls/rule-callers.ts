import type { ClientCertificate, CompileDeps, Consumer, Identity } from '../../contract/index.ts';
import type { Callers, Fault } from './callers.ts';
import type { Named, Rule } from './rule.ts';

const NOTHING: readonly string[] = Object.freeze([]);
const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({});
const wrong = (reason: string): Fault => Object.freeze({ reason });
const UNKNOWN = wrong('no rule matches the certificate');
const REVOKED = wrong('the certificate is revoked');
const DISABLED = wrong('the consumer is disabled');
const UNDECLARED = wrong('the certificate names no declared consumer');

/** What may change under a certificate while its connection is kept. */
type Who = Pick<CompileDeps, 'consumers' | 'revocations'>;

/** What the rules say of a certificate; never changes. */
class Reading {
  readonly #named: Named;
  readonly #credential: NonNullable<Identity['credential']>;
  #consumer: Consumer | undefined = undefined;
  #identity: Identity | undefined = undefined;

  constructor(named: Named, thumbprint: string) {
    this.#named = named;
    this.#credential = Object.freeze({ id: thumbprint, kind: 'mtls' });
  }

  /** Who calls, as of now. Cheap where nothing has changed. */
  identity({ consumers, revocations }: Who): Identity | Fault {
    const { consumer: name, isDeclared } = this.#named;
    if (revocations.hasCredential(this.#credential.id)) return REVOKED;
    const consumer = consumers.consumer(name);
    if (consumer === 'disabled' || revocations.hasConsumer(name)) return DISABLED;
    if (consumer === undefined && isDeclared) return UNDECLARED;
    if (this.#identity === undefined || consumer !== this.#consumer) {
      this.#consumer = consumer;
      this.#identity = this.#identityOf(consumer);
    }
    return this.#identity;
  }

  #identityOf(consumer: Consumer | undefined): Identity {
    const { consumer: name, groups } = this.#named;
    return Object.freeze({
      consumer: name,
      ...(consumer?.id === undefined ? {} : { consumerId: consumer.id }),
      groups: Object.freeze([...new Set([...(consumer?.groups ?? []), ...groups])]),
      scopes: NOTHING,
      claims: NO_CLAIMS,
      credential: this.#credential,
    });
  }
}

/** Certificates that the rules of the config map to consumers. */
export class RuleCallers implements Callers {
  readonly #rules: readonly Rule[];
  readonly #who: Who;
  /** Of each connection's certificate, for as long as the connection lives. */
  readonly #readings = new WeakMap<ClientCertificate, Reading | Fault>();

  constructor(rules: readonly Rule[], { consumers, revocations }: CompileDeps) {
    this.#rules = rules;
    this.#who = { consumers, revocations };
  }

  find(certificate: ClientCertificate): Identity | Fault {
    let reading = this.#readings.get(certificate);
    if (reading === undefined) {
      reading = this.#read(certificate);
      this.#readings.set(certificate, reading);
    }
    return reading instanceof Reading ? reading.identity(this.#who) : reading;
  }

  #read(certificate: ClientCertificate): Reading | Fault {
    for (const rule of this.#rules) {
      const named = rule.read(certificate);
      if (named === undefined) continue;
      return typeof named === 'string' ? wrong(named) : new Reading(named, certificate.thumbprint);
    }
    return UNKNOWN;
  }
}
