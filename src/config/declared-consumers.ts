import type { CredentialKind } from '../contract/index.ts';
import { matches } from '../lib/schema-check.ts';
import { readValidity, type Validity } from './credentials/validity.ts';
import { IssueList } from './issues.ts';
import { memberOf } from './json-shape.ts';
import { ConsumerSchema } from './schema/consumer.ts';
import type { CredentialConfig } from './schema/credential.ts';

/** A credential as the document declares it: nothing of its secret. */
export interface DeclaredCredential extends Validity {
  readonly id: string;
  readonly kind: CredentialKind;
  /** What it is found by, where that is no secret: a user name, a key id. */
  readonly publicKey: string | undefined;
}

/** A consumer as the document declares it. */
export interface DeclaredConsumer {
  readonly name: string;
  readonly id: string | undefined;
  readonly groups: readonly string[];
  readonly credentials: readonly DeclaredCredential[];
}

/** What a document that was found sound says of its consumers: for those who look after live ones beside them. */
export function declaredConsumers(document: unknown): readonly DeclaredConsumer[] {
  const consumers = memberOf(document, 'consumers');
  if (!Array.isArray(consumers)) return [];
  return consumers
    .filter((consumer) => matches(ConsumerSchema, consumer))
    .map(({ name, id, groups = [], credentials = [] }) => ({
      name,
      id,
      groups,
      credentials: credentials.flatMap((config, i) => declaredCredential(config, `${name}-${i + 1}`) ?? []),
    }));
}

function declaredCredential(
  { 'api-key': key, 'basic-auth': basic, 'hmac-signature': signature, mtls }: CredentialConfig,
  unnamed: string,
): DeclaredCredential | undefined {
  const common = key ?? basic ?? signature ?? mtls;
  if (common === undefined) return undefined;
  const kind = key ? 'api-key' : basic ? 'basic-auth' : signature ? 'hmac-signature' : 'mtls';
  const publicKey = basic?.username ?? signature?.keyId;
  return { id: common.id ?? unnamed, kind, publicKey, ...readValidity(common, [], new IssueList()) };
}
