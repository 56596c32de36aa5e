import type { Attachment, RequestView } from '../../contract/index.ts';
import { parameterValues } from '../../lib/query-string.ts';

/** They prove one request, not a caller: the next one has others. */
const OF_ONE_REQUEST: ReadonlySet<string> = new Set([
  'signature',
  'dpop',
  'date',
  'digest',
  'content-digest',
  'traceparent',
  'tracestate',
  'x-request-id',
  'forwarded',
  'x-forwarded-for',
  'x-real-ip',
  'cookie',
]);

/** RFC 9421 §2.3: whose key a signature is made with. */
const SIGNATURE_INPUT = 'signature-input';
const KEY_ID = /;keyid="([^"]{1,256})"/;

/** A credential of so much text is none; to hash it would be work for the asking. */
const MAX_LENGTH = 16 * 1024;

/** Reads what a caller presents, without asking whether it proves anything. */
export class PresentedCredentials {
  readonly #headers: readonly string[];
  readonly #query: readonly string[];
  readonly #readsCookies: boolean;

  /** `attachments`: of both revisions, so that whoever presents something to either is told apart by it. */
  constructor(attachments: readonly Attachment[]) {
    const fields = attachments.map(({ instance }) => instance.credentialFields);
    const headers = new Set(fields.flatMap((f) => f?.headers ?? []));
    this.#headers = [...headers].filter((name) => !OF_ONE_REQUEST.has(name)).sort();
    this.#query = [...new Set(fields.flatMap((f) => f?.query ?? []))].sort();
    // Which of its cookies a policy reads it does not say.
    this.#readsCookies = fields.some((f) => f !== undefined);
  }

  /** One text for the credentials of a request; '' for none. A secret: to be hashed, and kept nowhere. */
  of({ headers, query, certificate }: RequestView): string {
    let text = certificate === undefined ? '' : `certificate ${certificate.thumbprint}\n`;
    for (let i = 0; i < this.#headers.length; i++) {
      const name = this.#headers[i];
      const value = headers.get(name);
      if (value === undefined || value === '') continue;
      text += `${name} ${name === SIGNATURE_INPUT ? keyIdIn(value) : value}\n`;
    }
    if (query !== '') text += this.#inQuery(query);
    return text.length > MAX_LENGTH ? '' : text;
  }

  /**
   * The cookies of a request that has nothing else; '' for none. Somebody may be known by them, yet they are no caller:
   * others than the one that matters change all the time.
   */
  cookiesOf({ headers }: RequestView): string {
    const cookies = this.#readsCookies ? headers.get('cookie') : undefined;
    return cookies === undefined || cookies.length > MAX_LENGTH ? '' : `cookie ${cookies}`;
  }

  #inQuery(query: string): string {
    let text = '';
    for (const name of this.#query) {
      const [value] = parameterValues(query, name);
      if (value !== undefined && value !== '') text += `?${name} ${value}\n`;
    }
    return text;
  }
}

const keyIdIn = (input: string): string => KEY_ID.exec(input)?.[1] ?? '';
