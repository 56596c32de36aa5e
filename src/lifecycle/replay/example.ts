import type { RecordedRequest } from '../../contract/index.ts';
import { holdsRandomRun, holdsSecretShape } from '../../lib/secret-shapes.ts';
import type { JudgedDetail, ReplayExample } from './decision-diff.ts';
import type { Judged } from './side.ts';

/** In place of what an import may hold and nobody is to read. */
const HIDDEN = '…';
/** Names of fields and parameters whose values are secrets, or might well be. */
const SECRET = /auth|cookie|token|secret|key|session|passw|signature|credential|assertion|code/i;

/** A request with both judgements, for people to read. */
export function exampleOf(record: RecordedRequest, before: Judged | undefined, after: Judged): ReplayExample {
  const { requestId, atMs, listener, peer, method, weight, withheld, body } = record;
  const size = body.kind === 'none' ? 0 : body.kind === 'whole' ? body.bytes.length : body.size;
  return {
    requestId,
    atMs,
    listener,
    peer,
    method,
    target: shownTarget(record.target),
    headers: shownHeaders(record.headers),
    withheld: [...withheld.headers, ...withheld.query.map((name) => `?${name}`)],
    bodyBytes: size,
    consumer: record.identity?.consumer ?? after.consumer,
    weight,
    before: before === undefined ? thenOf(record) : detailOf(before),
    after: detailOf(after),
  };
}

const detailOf = ({ outcome, entries, undecided }: Judged): JudgedDetail => ({
  outcome,
  decisions: [...entries],
  undecided: undecided?.reason,
});

function thenOf({ outcome, decisions }: RecordedRequest): JudgedDetail | undefined {
  return outcome === undefined ? undefined : { outcome, decisions, undecided: undefined };
}

const shownHeaders = (flat: readonly string[]): readonly string[] =>
  flat.map((text, i) => (i % 2 === 1 && (SECRET.test(flat[i - 1]) || looksSecret(text)) ? HIDDEN : text));

/** Of a recording nothing does any more; an import is as it came. */
const looksSecret = (text: string): boolean => holdsSecretShape(text) || holdsRandomRun(text);

/** A target without the values that are secrets, or might well be. */
export function shownTarget(target: string): string {
  const question = target.indexOf('?');
  const path = question === -1 ? target : target.slice(0, question);
  const shownPath = path
    .split('/')
    .map((segment) => (holdsSecretShape(segment) ? HIDDEN : segment))
    .join('/');
  if (question === -1) return shownPath;
  const pieces = target.slice(question + 1).split('&');
  return `${target.slice(0, question)}?${pieces.map(shownPiece).join('&')}`;
}

/** A name may be spelt in percents, so that it does not look like one of a secret. */
function shownPiece(piece: string): string {
  const equals = piece.indexOf('=');
  const [name = ''] = new URLSearchParams(piece).keys();
  return equals === -1 || !SECRET.test(name) ? piece : `${piece.slice(0, equals)}=${HIDDEN}`;
}
