import type { DocumentPath } from '../document-path.ts';
import type { IssueList } from '../issues.ts';
import type { CommonConfig, CredentialConfig } from '../schema/credential.ts';
import { readApiKey } from './api-key.ts';
import { readBasicAuth } from './basic-auth.ts';
import { CredentialReading, type CredentialSources, type ReadCredential } from './credential.ts';
import { readHmacSignature } from './hmac-signature.ts';
import { readMtls } from './mtls.ts';

/** A credential as written, told apart by its kind. */
export interface WrittenCredential {
  readonly common: CommonConfig;
  /** Of its config. */
  readonly path: DocumentPath;
  /** Undefined where there was a fault. */
  read(): ReadCredential | undefined;
}

/** The credential at `path`. The schema has seen to it that it is of one kind. */
export function writtenCredential(
  config: CredentialConfig,
  path: DocumentPath,
  sources: CredentialSources,
  issues: IssueList,
): WrittenCredential | undefined {
  const of = <C extends CommonConfig>(
    kind: keyof CredentialConfig,
    common: C,
    read: (config: C, reading: CredentialReading) => ReadCredential | undefined,
  ): WrittenCredential => {
    const place = [...path, kind];
    return { common, path: place, read: () => read(common, new CredentialReading(sources, place, issues)) };
  };
  const { 'api-key': apiKey, 'basic-auth': basic, 'hmac-signature': signature, mtls } = config;
  if (apiKey !== undefined) return of('api-key', apiKey, readApiKey);
  if (basic !== undefined) return of('basic-auth', basic, readBasicAuth);
  if (signature !== undefined) return of('hmac-signature', signature, readHmacSignature);
  return mtls === undefined ? undefined : of('mtls', mtls, readMtls);
}
