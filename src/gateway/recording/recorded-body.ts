import type { RecordedBody } from '../../contract/index.ts';
import { bodyHoldsSecret } from '../../recording/index.ts';
import type { EndedExchange } from '../recorder.ts';

type Ended = Pick<EndedExchange, 'head' | 'receivedBytes' | 'keptBody'>;

const NONE: RecordedBody = Object.freeze({ kind: 'none' });

/** The body of a request as it is recorded: whole up to a size, and nothing of one that holds what looks like a secret. */
export function recordedBody({ head, receivedBytes, keptBody }: Ended, maxBytes: number): RecordedBody {
  if (!head.hasBody) return NONE;
  const size = Math.max(receivedBytes, head.contentLength);
  if (size > maxBytes) return { kind: 'missing', size, why: 'too-large' };
  if (keptBody === undefined) return { kind: 'missing', size, why: 'not-read' };
  if (keptBody.length === 0) return NONE;
  const types = head.headers.getAll('content-type');
  const isEncoded = head.headers
    .getAll('content-encoding')
    .some((coding) => coding.trim().toLowerCase() !== 'identity');
  if (bodyHoldsSecret(keptBody, { types, isEncoded })) return { kind: 'missing', size, why: 'withheld' };
  return { kind: 'whole', bytes: keptBody };
}
