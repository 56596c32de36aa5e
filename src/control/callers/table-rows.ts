import type { TableConsumer, TableCredential } from '../../state/index.ts';
import type { ActiveCredential, ConsumerEntry } from '../../store/index.ts';
import type { MasterKeys } from './master-keys.ts';

/** A consumer of the store as the data side needs it. */
export const tableConsumer = ({ name, externalId, groups, disabledAt }: ConsumerEntry): TableConsumer => ({
  name,
  ...(externalId === undefined ? {} : { id: externalId }),
  groups,
  isDisabled: disabledAt !== undefined,
  isOfDocument: false,
});

type CredentialRow = Omit<ActiveCredential, 'number'>;

/** A credential of the store as the data side needs it. @throws SealError when its secret cannot be decrypted */
export const tableCredential = (row: CredentialRow, keys: MasterKeys): TableCredential => ({
  id: row.id,
  consumer: row.consumer,
  kind: row.kind,
  key: row.lookup,
  expiresAtMs: row.expiresAt,
  notBeforeMs: row.notBefore,
  verifier: row.sealed === undefined ? row.verifier : keys.open(row.sealed, row.id),
});
