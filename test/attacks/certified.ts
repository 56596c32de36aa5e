import assert from 'node:assert/strict';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { AUTHORITY, LOCAL, OTHER } from '../fixtures/certificates.ts';
import { CLIENT_KEY, CLIENTS, PARTNERS } from '../fixtures/client-certificates.ts';
import { readResponses, statusOf, values } from '../fixtures/raw-client.ts';
import type { Stage, StageParts } from './stage.ts';

/** Clients with certificates before a stage that asks for them. */

export type Client = keyof typeof CLIENTS;

export const FILES = {
  'local.crt': LOCAL.cert,
  'local.key': LOCAL.key,
  'other.crt': OTHER.cert,
  'other.key': OTHER.key,
  'ca.crt': PARTNERS,
};
export const GET = 'GET /c HTTP/1.1\r\nHost: localhost\r\n\r\n';

export function behind(tls: object, policies: readonly unknown[], more: StageParts = {}): StageParts {
  const certificates = ['local', 'other'].map((name) => ({
    cert: `file:./${name}.crt`,
    key: `file:./${name}.key`,
  }));
  const listener = { tls: { certificates, clientCa: 'file:./ca.crt', ...tls } };
  return { listener, policies, files: FILES, admin: true, ...more };
}

/** By the common name, whoever it is: what comes through was let in by the handshake. */
export const BY_NAME = [
  {
    mtls: {
      match: [{ commonName: '*', from: 'commonName', declared: false }],
      forward: { subject: 'x-client-subject' },
    },
  },
];

export interface Asked {
  /** The status, or `cut` where the connection ended without an answer. */
  readonly outcome: string;
  readonly isResumed: boolean;
  /** To resume by, where one was given. */
  readonly sessions: readonly Buffer[];
}

export const shows = (client: Client | undefined): ConnectionOptions =>
  client === undefined ? {} : { cert: CLIENTS[client], key: CLIENT_KEY };

/** Asks once on a connection of its own. */
export async function ask(
  stage: Stage,
  client: Client | undefined,
  options: ConnectionOptions = {},
  request = GET,
): Promise<Asked> {
  const connection = await Connection.open(stage, { ...shows(client), ...options });
  const outcome = connection === undefined ? 'cut' : await connection.ask(request);
  const sessions = connection?.sessions ?? [];
  const isResumed = connection?.socket.isSessionReused() ?? false;
  connection?.socket.destroy();
  return { outcome, isResumed, sessions };
}

/** A connection that is kept. */
export class Connection {
  readonly socket: TLSSocket;
  readonly sessions: Buffer[] = [];
  #bytes = Buffer.alloc(0);
  #isOver = false;
  #wake: () => void = () => {};

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('session', (session) => this.sessions.push(session));
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#wake();
    });
    socket.on('close', () => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** Undefined where the handshake failed. */
  static open(stage: Stage, options: ConnectionOptions): Promise<Connection | undefined> {
    const { port } = stage.gateway;
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: AUTHORITY, ...options });
    const connection = new Connection(socket);
    return new Promise((resolve) => {
      socket.once('secureConnect', () => resolve(connection));
      socket.once('close', () => resolve(undefined));
    });
  }

  get answer() {
    return readResponses(this.#bytes, this.#isOver)[0];
  }

  async ask(request = GET): Promise<string> {
    this.#bytes = Buffer.alloc(0);
    if (this.#isOver) return 'cut';
    this.socket.write(request);
    await this.#until(() => this.answer?.complete === true);
    return this.answer?.complete === true ? String(statusOf(this.answer)) : 'cut';
  }

  async ended(): Promise<void> {
    await this.#until(() => false);
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export const forwarded = (stage: Stage): number => stage.upstream.requests.length;
export const lastSubject = (stage: Stage): readonly string[] =>
  values(stage.upstream.requests.at(-1) ?? assert.fail('nothing was forwarded'), 'x-client-subject');
