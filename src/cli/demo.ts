import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import path from 'node:path';
import { ConfigError } from '../errors.ts';
import type { HostPort } from './options.ts';

const KEY_BYTES = 24;
const KEY_FILE = 'demo.key';
const DOCUMENT_FILE = /\.(ya?ml|json)$/;
const MAX_ECHO_BYTES = 64 * 1024;

/** What opens the door of the quickstart: a request that its demo key is good for. */
export const demoRequest = (host: string) => ({
  path: '/hello',
  client: '127.0.0.1',
  headers: { host, 'x-api-key': `file:./${KEY_FILE}` },
});

/**
 * Makes `demo.key` beside a document that names it, when it is not there: random, for its owner only. Returns its path,
 * or undefined where no document names it.
 * @param documents a file, or the folder in which they are
 */
export function addDemoKey(documents: string, documentFolder: string): string | undefined {
  if (!namesKey(documents)) return undefined;
  const file = path.join(documentFolder, KEY_FILE);
  if (existsSync(file)) return file;
  try {
    writeFileSync(file, `${randomBytes(KEY_BYTES).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw ConfigError.at('', `cannot make the demo key: ${reason}`, 'copy the document to a folder of yours');
  }
  return file;
}

/** What cannot be read names nothing here: whoever loads the document tells why. */
function namesKey(documents: string): boolean {
  try {
    const isFolder = statSync(documents).isDirectory();
    const files = isFolder ? readdirSync(documents).filter((name) => DOCUMENT_FILE.test(name)) : [''];
    return files.some((name) => readFileSync(path.join(documents, name), 'utf8').includes(KEY_FILE));
  } catch {
    return false;
  }
}

export interface DemoUpstream {
  close(): void;
}

/** A backend to try the gateway with: it says what reached it. Throws ConfigError when it cannot listen. */
export async function startDemoUpstream({ host, port }: HostPort): Promise<DemoUpstream> {
  // To import it loads Node's own client with it, which is never asked here: 3 MB of every gateway.
  const { createServer } = process.getBuiltinModule('node:http');
  const server = createServer((request, response) => void echo(request, response));
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw ConfigError.at(
      '',
      `the demo upstream cannot listen: ${reason}`,
      'choose another address: --demo HOST:PORT',
    );
  }
  return { close: () => end(server) };
}

function end(server: Server): void {
  server.close();
  server.closeAllConnections();
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += chunk.length;
      if (bytes <= MAX_ECHO_BYTES) chunks.push(chunk);
    }
  } catch {
    return;
  }
  const { method, url, headers } = request;
  const body = bytes <= MAX_ECHO_BYTES ? Buffer.concat(chunks).toString() : `${bytes} bytes`;
  const said = { upstream: 'sallyport demo', method, url, headers, ...(bytes > 0 ? { body } : {}) };
  response.writeHead(200, { 'content-type': 'application/json', server: 'demo/1.0' });
  response.end(`${JSON.stringify(said, null, 2)}\n`);
}
