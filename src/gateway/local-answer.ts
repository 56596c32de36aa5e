import type { SocketWriter } from '../lib/socket-writer.ts';
import { type AnswerFields, localHead } from './client-response.ts';
import type { HttpDate } from './http-date.ts';

/** An answer the gateway makes itself. */
export interface LocalAnswer {
  readonly status: number;
  /** Flat fields, without length and date. */
  readonly fields: readonly string[];
  readonly body: string | Uint8Array;
}

/** Writes a local answer whole; a HEAD request gets the length without the body (RFC 9110 §9.3.2). */
export function writeLocal(
  writer: SocketWriter,
  answer: LocalAnswer,
  method: string,
  edits: readonly string[],
  fields: AnswerFields,
  date: HttpDate,
): void {
  const body = Buffer.from(answer.body);
  const bodiless = answer.status === 204 || answer.status === 304;
  const length = bodiless ? undefined : body.length;
  writer.text(localHead(answer.status, answer.fields, length, edits, fields, date.imf()));
  if (!bodiless && method !== 'HEAD') writer.bytes(body, 0, body.length);
}
