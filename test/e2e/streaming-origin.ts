import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { freePort } from '../fixtures/gateway.ts';

export const TOTAL_BYTES = 1_000_000_000;
const BLOCK = Buffer.alloc(250_000, 0x61);

/** An upstream that sends or takes a gigabyte and says how much it took. */
export class StreamingOrigin {
  readonly #server: Server;
  readonly port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(): Promise<StreamingOrigin> {
    const port = await freePort();
    const server = createServer((request, response) => {
      if (request.method === 'POST') void take(request, response);
      else void give(response, request.url === '/length');
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new StreamingOrigin(server, port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let taken = 0;
  request.on('data', (part: Buffer) => {
    taken += part.length;
  });
  await once(request, 'end');
  response.end(String(taken));
}

async function give(response: ServerResponse, withLength: boolean): Promise<void> {
  if (withLength) response.setHeader('content-length', TOTAL_BYTES);
  for (let sent = 0; sent < TOTAL_BYTES && !response.destroyed; sent += BLOCK.length) {
    if (!response.write(BLOCK)) await once(response, 'drain');
  }
  response.end();
}

/** Reads an answer of any size without keeping it; returns how many bytes came, framing included. */
export async function download(port: number, path: string): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`);
  let received = 0;
  socket.on('data', (part) => {
    received += part.length;
  });
  await once(socket, 'end');
  socket.destroy();
  return received;
}

/** Sends a gigabyte and returns how much of it the upstream says it took. */
export async function upload(port: number, framing: 'length' | 'chunks'): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => {
    answer += text;
  });
  const field = framing === 'length' ? `Content-Length: ${TOTAL_BYTES}` : 'Transfer-Encoding: chunked';
  socket.write(`POST /take HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n${field}\r\n\r\n`);
  const chunk = Buffer.concat([Buffer.from(`${BLOCK.length.toString(16)}\r\n`), BLOCK, Buffer.from('\r\n')]);
  for (let sent = 0; sent < TOTAL_BYTES; sent += BLOCK.length) {
    if (!socket.write(framing === 'length' ? BLOCK : chunk)) await once(socket, 'drain');
  }
  if (framing === 'chunks') socket.write('0\r\n\r\n');
  if (!answer.includes('\r\n\r\n')) await once(socket, 'end');
  socket.destroy();
  return Number(/\r\n\r\n(?:[0-9a-f]+\r\n)?(\d+)/.exec(answer)?.[1]);
}
