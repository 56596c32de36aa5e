import type { Socket } from 'node:net';
import type { ClientCertificate, ListenerPlan } from '../contract/index.ts';
import type { IpAddress } from '../lib/ip-address.ts';
import type { Receiver } from '../lib/read-buffer.ts';
import type { SocketWriter } from '../lib/socket-writer.ts';
import type { DataPlaneServices } from './services.ts';
import type { Serving } from './serving.ts';

/** What a connection needs of the listener it came through. */
export interface ConnectionHome {
  /** The snapshot new requests are judged by. */
  readonly serving: Serving;
  /** This listener in it. */
  readonly plan: ListenerPlan;
  /** A plan as this connection is judged by it: whom it may trust is not the plan's alone to say. */
  seenBy(plan: ListenerPlan): ListenerPlan;
  /** No new requests are wanted: connections are leaving. */
  readonly draining: boolean;
  readonly services: DataPlaneServices;
}

/** The client connection as its exchange sees it. */
export interface ExchangeHost {
  readonly socket: Socket;
  readonly writer: SocketWriter;
  readonly home: ConnectionHome;
  readonly peer: IpAddress;
  readonly scheme: 'http' | 'https';
  /** The client's, verified; undefined for none. */
  readonly certificate: ClientCertificate | undefined;
  /** Monotonic; 0 for none. The host calls the exchange's `onClientDeadline` when it passes. */
  deadlineMs: number;
  /** It closes with its next answer, which says so. */
  readonly leaving: boolean;
  /** Whether input is being worked on: then what is written upstream leaves in one piece at the end. */
  readonly reading: boolean;
  /** The exchange now takes body bytes: those that came early first. */
  wantBody(): void;
  /** The exchange is over and the connection goes on. */
  exchangeEnded(): void;
  /** Sends what is written, then closes. */
  closeGently(): void;
  /** Closes at once, so that the client sees that the answer is not whole. */
  cut(): void;
  /** The same with a reset: for an answer that only the end of the connection ends. */
  reset(): void;
  /** When it was last read again after it had been left alone for long, as a tick of the shedder; negative for never. */
  wokenAtTick: number;
  /** Once this exchange is over the client is not read for a while. */
  restSoon(): void;
  /** Gives the raw socket away, its reads to `receiver`; returns what the client sent ahead. */
  detach(receiver: Receiver): Buffer | undefined;
}
