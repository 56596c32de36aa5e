import { applyEdits } from '../evaluator/index.ts';
import { FieldKind, fieldLines, type ResponseHead, reasonPhrase } from '../http1/index.ts';
import { HeaderList } from '../lib/header-list.ts';
import { travellingFields, travelTable } from './travelling-fields.ts';

/** What the gateway itself says in every answer. */
export interface AnswerFields {
  readonly requestId: string;
  /** '' where the listener does not show it. */
  readonly revision: string;
  readonly close: boolean;
  /** The request's minor version: HTTP/1.0 clients must be told that a connection is kept. */
  readonly minor: 0 | 1;
}

/** How the body goes to the client. */
export type AnswerFraming = 'as-is' | 'chunked' | 'until-close';

/** Answer fields that travel as they came. */
const TRAVELS = travelTable([
  FieldKind.OTHER,
  FieldKind.NOT_IN_TRAILERS,
  FieldKind.DATE,
  FieldKind.VIA,
  FieldKind.FORWARDING,
  FieldKind.TRACEPARENT,
  FieldKind.METHOD_OVERRIDE,
]);
const NOTHING: readonly string[] = Object.freeze([]);

/** The head the client receives of an upstream's answer. */
export function clientHead(
  head: ResponseHead,
  framing: AnswerFraming,
  edits: readonly string[],
  answer: AnswerFields,
): string {
  const reason = head.reason === '' ? reasonPhrase(head.status) : head.reason;
  const start = `HTTP/1.1 ${head.status} ${reason}\r\n`;
  const fields = travellingFields(head, TRAVELS, NOTHING, edits);
  // Never with 204 (RFC 9110 §8.6): a client that believes it waits for a body that is not there.
  const sized = framing === 'as-is' && head.contentLength !== -1 && head.status !== 204;
  const length = sized ? `Content-Length: ${head.contentLength}\r\n` : '';
  const chunked = framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : '';
  return `${start}${fields}${length}${chunked}${gatewayFields(answer)}\r\n`;
}

/** The head that switches to a tunnel. */
export function upgradeHead(head: ResponseHead, edits: readonly string[], answer: AnswerFields): string {
  const fields = travellingFields(head, TRAVELS, NOTHING, edits);
  const start = `HTTP/1.1 101 Switching Protocols\r\n${fields}`;
  return `${start}Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n${gatewayFields({ ...answer, close: false, minor: 1 })}\r\n`;
}

/** An interim answer as it may travel. */
export function interimHead(head: ResponseHead): string {
  return `HTTP/1.1 ${head.status} ${head.reason}\r\n${travellingFields(head, TRAVELS, NOTHING, NOTHING)}\r\n`;
}

/** The head of an answer the gateway makes itself. */
export function localHead(
  status: number,
  fields: readonly string[],
  bodyBytes: number | undefined,
  edits: readonly string[],
  answer: AnswerFields,
  date: string,
): string {
  const list = new HeaderList(fields.slice());
  applyEdits(list, edits);
  const length = bodyBytes === undefined ? '' : `Content-Length: ${bodyBytes}\r\n`;
  const start = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`;
  return `${start}Date: ${date}\r\n${fieldLines(list.flat)}${length}${gatewayFields(answer)}\r\n`;
}

function gatewayFields(answer: AnswerFields): string {
  const revision = answer.revision === '' ? '' : `x-policy-revision: ${answer.revision}\r\n`;
  return `x-request-id: ${answer.requestId}\r\n${revision}${connectionField(answer)}`;
}

function connectionField({ close, minor }: AnswerFields): string {
  if (close) return 'Connection: close\r\n';
  return minor === 0 ? 'Connection: keep-alive\r\n' : '';
}
