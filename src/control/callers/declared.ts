import { type DeclaredConsumer, type DeclaredCredential, declaredConsumers } from '../../config/index.ts';

/** The part of a bundle that is looked at. */
interface ActiveDocument {
  readonly revision: string;
  readonly json: string;
}

/** Consumers and credentials of the document in service, read from it when they are asked for. */
export class DeclaredCallers {
  readonly #active: () => ActiveDocument | undefined;
  #revision: string | undefined;
  #consumers: ReadonlyMap<string, DeclaredConsumer> = new Map();
  #credentials: ReadonlyMap<string, DeclaredOf> = new Map();

  constructor(active: () => ActiveDocument | undefined) {
    this.#active = active;
  }

  consumer(name: string): DeclaredConsumer | undefined {
    this.#refresh();
    return this.#consumers.get(name);
  }

  credential(id: string): DeclaredOf | undefined {
    this.#refresh();
    return this.#credentials.get(id);
  }

  /** By name. */
  consumers(): readonly DeclaredConsumer[] {
    this.#refresh();
    return [...this.#consumers.values()];
  }

  #refresh(): void {
    const active = this.#active();
    if (active?.revision === this.#revision) return;
    const all = active === undefined ? [] : declaredConsumers(JSON.parse(active.json));
    const sorted = all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    this.#consumers = new Map(sorted.map((consumer) => [consumer.name, consumer]));
    this.#credentials = new Map(
      sorted.flatMap(({ name, credentials }) =>
        credentials.map((credential) => [credential.id, { ...credential, consumer: name }] as const),
      ),
    );
    this.#revision = active?.revision;
  }
}

/** A credential of the document, and whose it is. */
export interface DeclaredOf extends DeclaredCredential {
  readonly consumer: string;
}
