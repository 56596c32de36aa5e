import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { InternalError } from '../errors.ts';
import type { FileKeys } from './keys.ts';

/**
 * One piece of a recording as it lies in a file: a head of fixed size, then records that are compressed and sealed
 * (AES-256-GCM). Numbers are big-endian.
 *
 * | bytes | what |
 * |---|---|
 * | 0–3 | `SPRC` |
 * | 4 | version, 1 |
 * | 5 | bit 0: not every request of the time is kept |
 * | 6–11 | id of the master key |
 * | 12–27 | id of the file |
 * | 28–31 | its number in the file, from 0 |
 * | 32–39, 40–47 | earliest and latest request in it, milliseconds since the epoch |
 * | 48–55 | requests that it stands for |
 * | 56–59 | records in it |
 * | 60–63 | bytes when opened and decompressed |
 * | 64–75 | nonce |
 * | 76–79 | bytes that follow the head, the tag among them |
 * | 80–95 | HMAC-SHA-256 of the head so far, its first half |
 */
export const HEAD_BYTES = 96;

export const MAGIC = Buffer.from('SPRC');
export const FILE_ID_BYTES = 16;
export const NONCE_BYTES = 12;
const SIGNED_BYTES = 80;
const TAG_BYTES = 16;
const VERSION = 1;
const CIPHER = 'aes-256-gcm';

/** Far more than a writer ever puts into one. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024;

/** What a frame is about. */
export interface FrameFacts {
  readonly isSampled: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  /** Sum of the weights. */
  readonly requests: number;
  readonly records: number;
  readonly rawBytes: number;
}

/** Where a frame belongs. */
export interface FramePlace {
  /** 12 hex digits. */
  readonly keyId: string;
  readonly fileId: Uint8Array;
  readonly sequence: number;
}

export interface FrameHead extends FrameFacts, FramePlace {
  readonly nonce: Uint8Array;
  readonly sealedBytes: number;
}

/** The whole frame. `nonce` from a cryptographic source. */
export function sealFrame(
  place: FramePlace,
  facts: FrameFacts,
  compressed: Uint8Array,
  keys: FileKeys,
  nonce: Uint8Array,
): Buffer {
  const frame = Buffer.alloc(HEAD_BYTES + compressed.length + TAG_BYTES);
  writeHead(frame, { ...place, ...facts, nonce, sealedBytes: compressed.length + TAG_BYTES });
  nameOf(frame, keys).copy(frame, SIGNED_BYTES);
  const cipher = createCipheriv(CIPHER, keys.sealing, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(frame.subarray(0, SIGNED_BYTES));
  let end = HEAD_BYTES;
  for (const part of [cipher.update(compressed), cipher.final()]) end += part.copy(frame, end);
  cipher.getAuthTag().copy(frame, end);
  return frame;
}

/** What a head says, believed or not; undefined for what is none. */
export function readHead(bytes: Buffer): FrameHead | undefined {
  if (bytes.length < HEAD_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  if (bytes[4] !== VERSION) return undefined;
  return {
    isSampled: (bytes[5] & 1) === 1,
    keyId: bytes.toString('hex', 6, 12),
    fileId: Buffer.from(bytes.subarray(12, 28)),
    sequence: bytes.readUInt32BE(28),
    fromMs: bytes.readDoubleBE(32),
    toMs: bytes.readDoubleBE(40),
    requests: bytes.readDoubleBE(48),
    records: bytes.readUInt32BE(56),
    rawBytes: bytes.readUInt32BE(60),
    nonce: Buffer.from(bytes.subarray(64, 76)),
    sealedBytes: bytes.readUInt32BE(76),
  };
}

/** Whether a head is as it was written. */
export function isGenuine(head: Buffer, keys: FileKeys): boolean {
  return timingSafeEqual(head.subarray(SIGNED_BYTES, HEAD_BYTES), nameOf(head, keys));
}

/** The compressed records of a frame. Throws where anything of it was changed. */
export function openFrame(frame: Buffer, { nonce, sealedBytes }: FrameHead, keys: FileKeys): Buffer {
  if (frame.length !== HEAD_BYTES + sealedBytes || sealedBytes < TAG_BYTES)
    throw new InternalError('a frame is not of the size that its head says');
  const tagAt = frame.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, keys.sealing, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(frame.subarray(0, SIGNED_BYTES));
  decipher.setAuthTag(frame.subarray(tagAt));
  return Buffer.concat([decipher.update(frame.subarray(HEAD_BYTES, tagAt)), decipher.final()]);
}

function writeHead(into: Buffer, head: FrameHead): void {
  MAGIC.copy(into);
  into[4] = VERSION;
  into[5] = head.isSampled ? 1 : 0;
  into.write(head.keyId, 6, 6, 'hex');
  into.set(head.fileId, 12);
  into.writeUInt32BE(head.sequence, 28);
  into.writeDoubleBE(head.fromMs, 32);
  into.writeDoubleBE(head.toMs, 40);
  into.writeDoubleBE(head.requests, 48);
  into.writeUInt32BE(head.records, 56);
  into.writeUInt32BE(head.rawBytes, 60);
  into.set(head.nonce, 64);
  into.writeUInt32BE(head.sealedBytes, 76);
}

const nameOf = (head: Buffer, { naming }: FileKeys): Buffer =>
  createHmac('sha256', naming).update(head.subarray(0, SIGNED_BYTES)).digest().subarray(0, TAG_BYTES);
