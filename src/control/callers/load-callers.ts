import type { Logger } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import type { CredentialTable } from '../../state/index.ts';
import type { ActiveCredential, ConsumerStore } from '../../store/index.ts';
import { type MasterKeys, SealError } from './master-keys.ts';
import { tableConsumer, tableCredential } from './table-rows.ts';

export interface LoadDeps {
  readonly store: ConsumerStore;
  readonly table: CredentialTable;
  readonly keys: MasterKeys;
  readonly log: Logger;
}

const PAGE = 10_000;

/**
 * Brings all consumers and credentials of the store into the table; to be done before the first request, since a key
 * that is not there yet would be refused as wrong. Rejects with StoreError; what was loaded until then stays.
 * One whose secret cannot be decrypted is left out and logged.
 */
export async function loadCallers(deps: LoadDeps): Promise<void> {
  const { store, table } = deps;
  const { consumers, credentials } = await store.countActive();
  if (consumers + credentials === 0) return;
  const there = table.stats.consumers + table.stats.credentials;
  table.reserve(Math.max(consumers + credentials - there, 0));
  for (let after = ''; ; ) {
    const page = await store.listConsumers({ limit: PAGE, after });
    for (const consumer of page) table.putConsumer(tableConsumer(consumer));
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.name;
    await breath();
  }
  for (let after = 0; ; ) {
    const page = await store.activeCredentials(after, PAGE);
    for (const credential of page) {
      const resealed = loadCredential(deps, credential);
      if (resealed !== undefined) await store.resealCredential(credential.id, resealed);
    }
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.number;
    await breath();
  }
}

/** Gives its secret under the current master key where it was encrypted with another. */
function loadCredential({ table, keys, log }: LoadDeps, credential: ActiveCredential): string | undefined {
  const { id, consumer, sealed } = credential;
  try {
    const row = tableCredential(credential, keys);
    // One that is only here from before is not kept live any more: the document says who that is.
    if (!table.hasCurrentConsumer(consumer)) {
      table.putConsumer({ name: consumer, groups: [], isDisabled: false, isOfDocument: true });
    }
    table.putCredential(row);
    return sealed === undefined || keys.isCurrent(sealed) ? undefined : keys.seal(keys.open(sealed, id), id);
  } catch (error) {
    if (!(error instanceof SealError || error instanceof InternalError)) throw error;
    log.error('credential-unreadable', { credential: id, consumer, reason: error.message });
    return undefined;
  }
}

/** Lets whatever else waits for this thread have its turn. */
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
