import type { Attachment, CredentialFields, RecordingPlan } from '../../contract/index.ts';
import type { Static } from '../../lib/schema.ts';
import { IssueList } from '../issues.ts';
import { DEFAULT_RECORDING, type RecordingSchema } from '../schema/recording.ts';
import { positiveMs, sizeOf } from './listener.ts';

/** A body that is longer is no example of a request any more. */
const MOST_BODY_BYTES = 256_000;
/** With less, what is written now would push out what was written a minute before. */
const LEAST_BYTES = 1_000_000;

/** What workers record. Faults go to `issues`. */
export function compileRecording(
  config: Static<typeof RecordingSchema> = {},
  attachments: readonly Attachment[],
  issues: IssueList,
): RecordingPlan | undefined {
  if (config === 'off') return undefined;
  const written = { ...DEFAULT_RECORDING, ...config };
  const bodyBytes = sizeOf(written.bodies);
  const maxBytes = sizeOf(written.maxSize);
  const keepMs = positiveMs(written.keep, ['recording', 'keep'], issues);
  if (bodyBytes > MOST_BODY_BYTES) issues.add(['recording', 'bodies'], 'must be at most 256kB');
  if (maxBytes < LEAST_BYTES) issues.add(['recording', 'maxSize'], 'must be at least 1MB');
  if (keepMs < 60_000) issues.add(['recording', 'keep'], 'must be at least 1m');
  return Object.freeze({
    requestsPerSecond: written.requests,
    bodyBytes,
    keepMs,
    maxBytes,
    credentials: credentialFieldsOf(attachments),
  });
}

/** Those in shadow are asked as well: what they read are credentials too. */
function credentialFieldsOf(attachments: readonly Attachment[]): CredentialFields {
  const headers = new Set<string>();
  const query = new Set<string>();
  for (const { instance } of attachments) {
    const { credentialFields: fields } = instance;
    for (const name of fields?.headers ?? []) headers.add(name.toLowerCase());
    for (const name of fields?.query ?? []) query.add(name);
  }
  return Object.freeze({ headers: Object.freeze([...headers]), query: Object.freeze([...query]) });
}

/** What a document that was found sound says of records, but for the credentials that its policies read. */
export const recordingOf = ({
  recording,
}: {
  readonly recording?: Static<typeof RecordingSchema>;
}): RecordingPlan | undefined => compileRecording(recording, [], new IssueList());
