import type {
  ListenerPlan,
  RecordedRequest,
  RequestView,
  UnknownParts,
  Withheld,
} from '../contract/index.ts';
import { RequestError } from '../errors.ts';
import { FieldKind, fieldKind } from '../http1/index.ts';
import { HeaderList } from '../lib/header-list.ts';
import { type IpAddress, parseIpAddress } from '../lib/ip-address.ts';
import { viewOf } from './request-view.ts';
import type { Unanswered } from './unanswered.ts';
import { WithheldHeaders } from './withheld-headers.ts';

const LENGTH = /^[0-9]{1,15}$/;
/** A host of nobody (RFC 6761 §6.4): which routes a request would have fitted nobody can tell then. */
const NO_HOST = 'unknown.invalid';
/** An address of nobody (RFC 5737). */
const NOBODY = '192.0.2.0';
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
    // Who that was an import may not tell: whoever looks is noted.
    this.peer = parseIpAddress(record.withheld.unknown?.peer === true ? NOBODY : record.peer);
    this.withheldHeaders = headers.length === 0 ? NO_NAMES : new Set(headers);
    this.withheldQuery = query.length === 0 ? NO_NAMES : new Set(query);
    this.#read();
  }

  /** Whether all of it is at hand. */
  get isWhole(): boolean {
    const { unknown } = this.record.withheld;
    return this.withheldHeaders.size + this.withheldQuery.size === 0 && unknown === undefined;
  }

  /** An import does not tell which host was asked for. */
  get isHostUnknown(): boolean {
    return this.authority === '' && this.record.withheld.unknown?.headers === 'all';
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
 * The view that a listener has of a recorded request, or why it refuses it. What was left out of it, or is not known, is
 * noted when it is looked at. Undefined for a record that is of no connection: its peer is no address.
 */
export function recordedView(
  head: RecordedHead,
  listener: ListenerPlan,
  unanswered: Unanswered,
): RequestView | RequestError | undefined {
  const { record, headers, peer, methodOverride, isHostUnknown } = head;
  if (peer === undefined) return undefined;
  if (isHostUnknown) unanswered.note('unknown');
  const authority = isHostUnknown ? NO_HOST : head.authority;
  const { requestId: id, method, scheme, target, httpVersion, certificate, withheld } = record;
  const view = viewOf(
    { id, method, methodOverride, scheme, authority, target, headers, httpVersion, peer, certificate },
    listener,
  );
  // Which routes and rules it would have fitted nobody can tell.
  if (withheld.path === true) unanswered.note('credential');
  if (view instanceof RequestError || head.isWhole) return view;
  const left = new LeftOut(head, view.query, unanswered);
  const isForwarded = listener.trusts(peer);
  if (isForwarded && left.headers.has(FORWARDED_FOR)) unanswered.note('credential');
  if (isForwarded && left.isUnknown(FORWARDED_FOR)) unanswered.note('unknown');
  const seen: RequestView = { ...view, headers: new WithheldHeaders(headers, left), withheld: left };
  return watched(seen, head, left);
}

const FORWARDED_FOR = 'x-forwarded-for';

class LeftOut implements Withheld {
  readonly headers: ReadonlySet<string>;
  readonly query: ReadonlySet<string>;
  readonly recordedHeaders: HeaderList;
  readonly recordedQuery: string;
  readonly #unanswered: Unanswered;
  readonly #unknown: UnknownParts | undefined;

  constructor(head: RecordedHead, recordedQuery: string, unanswered: Unanswered) {
    this.headers = head.withheldHeaders;
    this.query = head.withheldQuery;
    this.recordedHeaders = head.headers;
    this.recordedQuery = recordedQuery;
    this.#unanswered = unanswered;
    this.#unknown = head.record.withheld.unknown;
  }

  note(): void {
    this.#unanswered.look();
  }

  noteUnknown(): void {
    this.#unanswered.look('unknown');
  }

  isUnknown(field: string): boolean {
    if (this.#unknown === undefined) return false;
    const { headers } = this.#unknown;
    const isListed = headers !== 'all' && !headers.includes(field);
    return !isListed && this.recordedHeaders.count(field) === 0;
  }

  get areFieldsUnknown(): boolean {
    return this.#unknown !== undefined && this.#unknown.headers.length > 0;
  }

  get isQueryUnknown(): boolean {
    return this.#unknown?.query === true;
  }
}

/** Properties that note a look. Few requests have any: most credentials are in fields. */
function watched(view: RequestView, head: RecordedHead, left: LeftOut): RequestView {
  const { unknown } = head.record.withheld;
  const properties: PropertyDescriptorMap = {};
  const watch = (name: keyof RequestView, note: () => void): void => {
    const value: unknown = view[name];
    const get = (): unknown => {
      note();
      return value;
    };
    properties[name] = { enumerable: true, get };
  };
  const unknownTo = (): void => left.noteUnknown();
  if (left.isQueryUnknown) for (const name of ['query', 'target'] as const) watch(name, unknownTo);
  else if (left.query.size > 0)
    for (const name of ['query', 'target'] as const) watch(name, () => left.note());
  if (unknown?.peer === true) for (const name of ['client', 'peer'] as const) watch(name, unknownTo);
  if (unknown?.certificate === true) watch('certificate', unknownTo);
  return Object.keys(properties).length === 0 ? view : Object.defineProperties(view, properties);
}
