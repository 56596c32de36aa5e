import type { ListenerPlan, RecordedRequest, RequestView } from '../contract/index.ts';
import { RequestError } from '../errors.ts';
import { FieldKind, fieldKind } from '../http1/index.ts';
import { HeaderList } from '../lib/header-list.ts';
import { type IpAddress, parseIpAddress } from '../lib/ip-address.ts';
import { viewOf } from './request-view.ts';
import type { Unanswered } from './unanswered.ts';
import { WithheldHeaders } from './withheld-headers.ts';

const LENGTH = /^[0-9]{1,15}$/;
const NO_NAMES: ReadonlySet<string> = new Set();

/** A recorded request as far as it is the same for every revision that judges it. */
export class RecordedHead {
  readonly record: RecordedRequest;
  readonly headers: HeaderList;
  readonly peer: IpAddress | undefined;
  /** Host as sent; '' for none. */
  authority = '';
  /** Value of Expect; '' when there is none. */
  expect = '';
  methodOverride: string | undefined = undefined;
  /** What the client said of its body; -1 where it said nothing that can be read. */
  contentLength = -1;
  readonly withheldHeaders: ReadonlySet<string>;
  readonly withheldQuery: ReadonlySet<string>;

  constructor(record: RecordedRequest) {
    const { headers, query } = record.withheld;
    this.record = record;
    this.headers = new HeaderList([...record.headers]);
    this.peer = parseIpAddress(record.peer);
    this.withheldHeaders = headers.length === 0 ? NO_NAMES : new Set(headers);
    this.withheldQuery = query.length === 0 ? NO_NAMES : new Set(query);
    this.#read();
  }

  get method(): string {
    return this.record.method;
  }

  /** Of its body. Of one that was not read, what the client said it would send. */
  get bodyBytes(): number {
    const { body } = this.record;
    if (body.kind === 'none') return 0;
    if (body.kind === 'whole') return body.bytes.length;
    return Math.max(body.size, this.contentLength);
  }

  #read(): void {
    const { flat } = this.headers;
    for (let i = 0; i < flat.length; i += 2) {
      const kind = fieldKind(flat[i]);
      if (kind === FieldKind.OTHER) continue;
      const value = flat[i + 1];
      if (kind === FieldKind.HOST) this.authority = value;
      else if (kind === FieldKind.EXPECT) this.expect = value;
      else if (kind === FieldKind.CONTENT_LENGTH)
        this.contentLength = LENGTH.test(value) ? Number(value) : -1;
      else if (kind === FieldKind.METHOD_OVERRIDE)
        this.methodOverride = this.methodOverride === undefined ? value : `${this.methodOverride},${value}`;
    }
  }
}

/**
 * The view that a listener has of a recorded request, or why it refuses it. What was left out of it is noted when it is
 * looked at. Undefined for a record that is of no connection: its peer is no address.
 */
export function recordedView(
  head: RecordedHead,
  listener: ListenerPlan,
  unanswered: Unanswered,
): RequestView | RequestError | undefined {
  const { record, headers, peer, authority, methodOverride, withheldHeaders, withheldQuery } = head;
  if (peer === undefined) return undefined;
  const { requestId: id, method, scheme, target, httpVersion, certificate, withheld } = record;
  const view = viewOf(
    { id, method, methodOverride, scheme, authority, target, headers, httpVersion, peer, certificate },
    listener,
  );
  if (isForwarderUnknown(head, listener, peer)) unanswered.note('credential');
  // Which routes and rules it would have fitted nobody can tell.
  if (withheld.path === true) unanswered.note('credential');
  if (view instanceof RequestError || withheldHeaders.size + withheldQuery.size === 0) return view;
  const look = (): void => unanswered.look();
  const watched =
    withheldHeaders.size === 0 ? view.headers : new WithheldHeaders(headers, withheldHeaders, look);
  const seen: RequestView = {
    ...view,
    headers: watched,
    withheld: {
      headers: withheldHeaders,
      query: withheldQuery,
      recordedHeaders: headers,
      recordedQuery: view.query,
      note: look,
    },
  };
  return withheldQuery.size === 0 ? seen : watchQuery(seen, look);
}

/** Who called is then anybody's guess. */
const isForwarderUnknown = ({ withheldHeaders }: RecordedHead, listener: ListenerPlan, peer: IpAddress) =>
  withheldHeaders.has('x-forwarded-for') && listener.trusts(peer);

function watchQuery(view: RequestView, look: () => void): RequestView {
  const { query, target } = view;
  const watched = (text: string) => ({
    enumerable: true,
    get: () => {
      look();
      return text;
    },
  });
  return Object.defineProperties(view, { query: watched(query), target: watched(target) });
}
