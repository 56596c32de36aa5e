import { type ClientRequest, createServer, type IncomingMessage, request, type Server } from 'node:http';
import { Duplex } from 'node:stream';
import type { Message, Reading } from './ours.ts';

/** A connection in memory: what is pushed is read by the parser, what it writes is thrown away. */
class MemorySocket extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
}

interface Collected {
  readonly start: string;
  readonly fields: readonly string[];
  readonly upgrade: boolean;
  readonly parts: Buffer[];
  readonly incoming: IncomingMessage;
}

function finished(collected: readonly Collected[]): Message[] {
  return collected.map(({ start, fields, parts, incoming, upgrade }) => ({
    start,
    fields,
    body: Buffer.concat(parts).toString('latin1'),
    complete: upgrade || incoming.complete,
    upgrade,
  }));
}

/** Node's own HTTP server (llhttp, strict) read as an oracle: the requests it finds in a stream of bytes. */
export class ServerOracle {
  readonly #server: Server;
  #collected: Collected[] = [];
  #refused = false;

  constructor() {
    this.#server = createServer({
      insecureHTTPParser: false,
      maxHeaderSize: 1 << 20,
      requestTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 0,
      connectionsCheckingInterval: 1 << 30,
    });
    this.#server.maxHeadersCount = 0;
    this.#server.on('request', (incoming, response) => {
      this.#collect(incoming, false);
      response.end();
    });
    for (const event of ['checkContinue', 'checkExpectation']) {
      this.#server.on(event, (incoming, response) => {
        this.#collect(incoming, false);
        response.end();
      });
    }
    for (const event of ['upgrade', 'connect']) {
      this.#server.on(event, (incoming, socket) => {
        this.#collect(incoming, true);
        socket.destroy();
      });
    }
    this.#server.on('clientError', (_error, socket) => {
      this.#refused = true;
      socket.destroy();
    });
  }

  #collect(incoming: IncomingMessage, upgrade: boolean): void {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('error', () => {});
    const start = `${incoming.method} ${incoming.url}`;
    this.#collected.push({ start, fields: incoming.rawHeaders.slice(), upgrade, parts, incoming });
  }

  read(bytes: Buffer): Promise<Reading> {
    this.#collected = [];
    this.#refused = false;
    const socket = new MemorySocket();
    const reading = new Promise<Reading>((resolve) => {
      socket.once('close', () => {
        // The bodies' last events come on the ticks behind the connection's end.
        setImmediate(() => resolve({ messages: finished(this.#collected), refused: this.#refused }));
      });
    });
    this.#server.emit('connection', socket);
    socket.push(bytes);
    socket.push(null);
    return reading;
  }

  close(): void {
    this.#server.close();
  }
}

/** Node's own HTTP client read as an oracle: the first final answer it finds in `bytes`. */
export function readResponseWithNode(bytes: Buffer, method: string): Promise<Reading> {
  return new Promise((resolve) => {
    const socket = new MemorySocket();
    const collected: Collected[] = [];
    let refused = false;
    const outgoing = openRequest(socket, method);
    outgoing.on('response', (incoming) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('error', () => {});
      const fields = incoming.rawHeaders.slice();
      collected.push({ start: String(incoming.statusCode), fields, upgrade: false, parts, incoming });
    });
    outgoing.on('upgrade', () => socket.destroy());
    outgoing.on('connect', () => socket.destroy());
    outgoing.on('error', () => {
      refused = true;
    });
    socket.once('close', () => {
      setImmediate(() => resolve({ messages: finished(collected), refused }));
    });
    outgoing.end();
    socket.push(bytes);
    socket.push(null);
  });
}

function openRequest(socket: MemorySocket, method: string): ClientRequest {
  return request({
    method,
    host: 'oracle.test',
    insecureHTTPParser: false,
    maxHeaderSize: 1 << 20,
    createConnection: () => socket,
  });
}
