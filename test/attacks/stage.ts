import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { RawClient, type RawMessage, statusOf } from '../fixtures/raw-client.ts';
import { type Answer, forwardingFaults, RawUpstream } from '../fixtures/raw-upstream.ts';

/** What came of some bytes sent on a connection of their own. */
export interface Outcome {
  /** Status codes of the final answers, in order. */
  readonly statuses: readonly number[];
  readonly answers: readonly RawMessage[];
  /** Whether the gateway ended the connection. */
  readonly closed: boolean;
  /** Whole requests the upstream received because of these bytes. */
  readonly forwarded: readonly RawMessage[];
  /** Everything the upstream received because of these bytes. */
  readonly bytes: string;
}

export interface StageParts {
  readonly listener?: Readonly<Record<string, unknown>>;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly policies?: readonly unknown[];
  readonly routes?: readonly unknown[];
  readonly document?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly answer?: Answer;
  readonly admin?: boolean;
  readonly workers?: number;
  /** Beside the document. */
  readonly files?: Readonly<Record<string, string>>;
  /** What every probe says before its request. */
  readonly preface?: string;
}

/** How long a connection that should stay is watched for an answer too many or an end. */
const SETTLE_MS = 60;
const ANSWER_MS = 3000;

/** A gateway in front of a recording upstream: judged by what the upstream received. */
export class Stage {
  readonly gateway: Gateway;
  readonly upstream: RawUpstream;
  readonly #preface: string;

  private constructor(gateway: Gateway, upstream: RawUpstream, preface: string) {
    this.gateway = gateway;
    this.upstream = upstream;
    this.#preface = preface;
  }

  static async open(parts: StageParts = {}): Promise<Stage> {
    const { answer, env, admin, workers, files, preface = '', ...more } = parts;
    const upstream = await RawUpstream.start(answer === undefined ? {} : { answer });
    const document = proxyDocument({ port: await freePort(), upstream: upstream.url, ...more });
    try {
      const gateway = await startGateway(document, {
        ...(env === undefined ? {} : { env }),
        ...(admin === undefined ? {} : { admin }),
        ...(workers === undefined ? {} : { workers }),
        ...(files === undefined ? {} : { files }),
      });
      return new Stage(gateway, upstream, preface);
    } catch (error) {
      await upstream.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.gateway.stop();
    await this.upstream.stop();
  }

  connect(methods: readonly string[] = [], localAddress?: string): Promise<RawClient> {
    return RawClient.connect(this.gateway.port, {
      methods,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
  }

  /**
   * Sends `pieces` on one connection and waits until the gateway has answered `answers` times or closed. A probe
   * on another connection then shows that whatever the bytes caused has reached the upstream.
   */
  async send(
    pieces: string | Uint8Array | readonly (string | Uint8Array)[],
    options: {
      /** The gateway is expected to end the connection: wait for it. */
      readonly closes?: boolean;
      readonly answers?: number;
      readonly methods?: readonly string[];
      readonly localAddress?: string;
    } = {},
  ): Promise<Outcome> {
    const mark = this.#mark();
    const client = await this.connect(options.methods, options.localAddress);
    const list = typeof pieces === 'string' || pieces instanceof Uint8Array ? [pieces] : pieces;
    for (const piece of list) client.send(piece);
    await client.response(options.answers ?? 1, ANSWER_MS);
    await client.closedWithin(options.closes === true ? ANSWER_MS : SETTLE_MS);
    await this.probe();
    const answers = client.responses.filter((r) => statusOf(r) >= 200 || statusOf(r) === 101);
    const closed = client.state !== 'open';
    client.close();
    return { statuses: answers.map(statusOf), answers, closed, ...this.#since(mark) };
  }

  /** A plain request that must come through: the gateway still serves after whatever was done to it. */
  async probe(): Promise<void> {
    const client = await this.connect();
    client.send(this.#preface);
    client.send('GET /probe HTTP/1.1\r\nHost: probe.test\r\nConnection: close\r\n\r\n');
    const response = await client.response(1, ANSWER_MS);
    client.close();
    if (response === undefined) throw new Error(`the gateway no longer answers\n${this.gateway.output}`);
  }

  /** Faults in everything forwarded so far: anything a backend could read in two ways. */
  faults(): string[] {
    return this.upstream.connections.flatMap((c) => forwardingFaults(c));
  }

  #mark(): Mark {
    return this.upstream.connections.map((c) => ({ requests: c.requests.length, bytes: c.bytes.length }));
  }

  #since(mark: Mark): { forwarded: RawMessage[]; bytes: string } {
    const forwarded: RawMessage[] = [];
    let bytes = '';
    for (const [i, connection] of this.upstream.connections.entries()) {
      const seen = mark[i] ?? { requests: 0, bytes: 0 };
      forwarded.push(
        ...connection.requests.slice(seen.requests).filter((r) => !r.startLine.includes(' /probe ')),
      );
      bytes += withoutProbe(connection.bytes.toString('latin1', seen.bytes));
    }
    return { forwarded, bytes };
  }
}

type Mark = readonly { readonly requests: number; readonly bytes: number }[];

const withoutProbe = (text: string): string =>
  text.replace(/GET \/probe HTTP\/1\.1\r\n(?:[^\r]+\r\n)*\r\n/g, '');
