import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ProblemError } from './problem.ts';

/** Each holds a connection; nobody watches with more. */
const MAX_STREAMS = 50;
/** Whatever stands between closes what says nothing for long. */
const HEARTBEAT_MS = 15_000;

/** What a stream tells of: the latest, whenever it is asked. */
export interface StreamSource {
  /** As one event; undefined where there is nothing to tell any more. */
  latest(): Promise<{ readonly data: object; readonly isLast: boolean } | undefined>;
  /** Calls when there may be something new, until what it gives is called. */
  subscribe(listener: () => void): () => void;
}

/** Server-sent events (WHATWG HTML §9.2) of the admin side. They end with it. */
export class EventStreams {
  readonly #open = new Set<() => void>();

  constructor(app: FastifyInstance) {
    app.addHook('preClose', async () => {
      for (const end of this.#open) end();
    });
  }

  /** Sends the latest at once and whenever it changes. Who reads slowly misses what came between. */
  async send(reply: FastifyReply, source: StreamSource): Promise<void> {
    if (this.#open.size >= MAX_STREAMS) {
      throw new ProblemError('overloaded', 'Too many are watching at the same time.');
    }
    const { raw } = reply;
    const headers = { ...reply.getHeaders(), 'content-type': 'text/event-stream' };
    reply.hijack();
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) raw.setHeader(name, value);
    raw.writeHead(200);
    await this.#run(raw, source);
  }

  async #run(raw: ServerResponse, source: StreamSource): Promise<void> {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    let isDue = true;
    let wake: () => void = () => {};
    let isOver = false;
    const stop = () => {
      isOver = true;
      wake();
      end();
    };
    const release = source.subscribe(() => {
      isDue = true;
      wake();
    });
    const heartbeat = setInterval(() => raw.write(': still here\n\n'), HEARTBEAT_MS).unref();
    this.#open.add(stop);
    raw.on('close', stop);
    try {
      while (!isOver) {
        if (isDue && !raw.writableNeedDrain) {
          isDue = false;
          const event = await source.latest();
          if (event === undefined) break;
          raw.write(`event: rollout\ndata: ${JSON.stringify(event.data)}\n\n`);
          if (event.isLast) break;
        }
        if (isOver || (isDue && !raw.writableNeedDrain)) continue;
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
          raw.once('drain', resolve);
        });
        await Promise.race([woken, ended]);
        raw.removeAllListeners('drain');
      }
    } finally {
      release();
      clearInterval(heartbeat);
      this.#open.delete(stop);
      raw.end();
    }
  }
}
