import { type BigIntStats, createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { FeedPlan } from '../../config/index.ts';
import type { Network } from '../../contract/index.ts';
import { NetworkError } from '../../errors.ts';

/** What a source calls its content, so that the same is not sent again (RFC 9110 §8.8). */
export interface FeedMark {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

export const NO_MARK: FeedMark = Object.freeze({ etag: undefined, lastModified: undefined });

/** What came of asking a source. `same`: what it has is what it had by the mark. */
export type FeedRead =
  | { readonly kind: 'content'; readonly bytes: Uint8Array; readonly mark: FeedMark }
  | { readonly kind: 'same' }
  | { readonly kind: 'failed'; readonly reason: string };

/** Asks the sources of lists. */
export interface FeedReader {
  /** Never rejects. */
  read(plan: FeedPlan, known: FeedMark): Promise<FeedRead>;
  /** What a file is by now, in words that differ when its content may; undefined where there is none. */
  stamp(path: string): Promise<string | undefined>;
}

export interface FeedReaderDeps {
  readonly network: Network;
  /** Paths are relative to it. */
  readonly folder: string;
  readonly version: string;
}

export function createFeedReader(deps: FeedReaderDeps): FeedReader {
  return {
    read: (plan, known) =>
      plan.source.kind === 'url' ? readUrl(plan, known, deps) : readFile(plan, known, deps.folder),
    stamp: async (path) => {
      const about = await statOf(resolve(deps.folder, path));
      return about === undefined ? undefined : stampOf(about);
    },
  };
}

async function readUrl(plan: FeedPlan, known: FeedMark, deps: FeedReaderDeps): Promise<FeedRead> {
  const { source, headers, timeoutMs, maxBytes } = plan;
  try {
    const {
      status,
      headers: answered,
      body,
    } = await deps.network.send({
      method: 'GET',
      url: source.at,
      headers: [
        'user-agent',
        `sallyport/${deps.version}`,
        'accept-encoding',
        'identity',
        ...headers,
        ...conditions(known),
      ],
      timeoutMs,
      maxBytes,
    });
    if (status === 304 && (known.etag ?? known.lastModified) !== undefined) return { kind: 'same' };
    if (status !== 200) return { kind: 'failed', reason: statusText(status) };
    const encoding = answered.get('content-encoding') ?? 'identity';
    if (encoding.toLowerCase() !== 'identity') return { kind: 'failed', reason: 'it is compressed, unasked' };
    const mark = { etag: markOf(answered.get('etag')), lastModified: markOf(answered.get('last-modified')) };
    return { kind: 'content', bytes: body, mark };
  } catch (error) {
    if (error instanceof NetworkError) return { kind: 'failed', reason: error.message };
    throw error;
  }
}

function statusText(status: number): string {
  const isRedirect = status >= 300 && status < 400;
  return isRedirect
    ? `it answers ${status}: redirects are not followed, name the address they lead to`
    : `it answers ${status}`;
}

function conditions({ etag, lastModified }: FeedMark): string[] {
  if (etag !== undefined) return ['if-none-match', etag];
  return lastModified === undefined ? [] : ['if-modified-since', lastModified];
}

/** What cannot be sent back as it came is no mark. */
const markOf = (value: string | undefined): string | undefined =>
  value !== undefined && /^[!-~](?:[ -~]{0,510}[!-~])?$/.test(value) ? value : undefined;

/** A file is marked by its stamp. */
async function readFile(plan: FeedPlan, known: FeedMark, folder: string): Promise<FeedRead> {
  const path = resolve(folder, plan.source.at);
  const about = await statOf(path);
  if (about === undefined) return { kind: 'failed', reason: 'there is no such file' };
  // A device or pipe could block or never end.
  if (!about.isFile()) return { kind: 'failed', reason: 'it is no regular file' };
  const mark = { etag: stampOf(about), lastModified: undefined };
  if (mark.etag === known.etag) return { kind: 'same' };
  try {
    const bytes = await readAtMost(path, plan.maxBytes);
    if (bytes === undefined) return { kind: 'failed', reason: `it is longer than ${plan.maxBytes} bytes` };
    return { kind: 'content', bytes, mark };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown cause';
    return { kind: 'failed', reason: `it cannot be read: ${code}` };
  }
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch {
    return undefined;
  }
}

const stampOf = ({ dev, ino, size, mtimeNs }: BigIntStats): string => `${dev}:${ino}:${size}:${mtimeNs}`;

async function readAtMost(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of createReadStream(path)) {
    const bytes: Buffer = piece;
    length += bytes.length;
    if (length > maxBytes) return undefined;
    pieces.push(bytes);
  }
  return Buffer.concat(pieces, length);
}
