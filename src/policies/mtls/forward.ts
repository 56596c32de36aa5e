import type { ClientCertificate, EditJournal } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { FieldKind, fieldKind } from '../../http1/index.ts';
import type { MtlsConfig } from './schema.ts';

type ForwardConfig = NonNullable<MtlsConfig['forward']>;
type Told = keyof ForwardConfig;

const TOLD: readonly Told[] = ['subject', 'issuer', 'serial', 'thumbprint'];
/** Families of names in which gateways tell who calls. */
const OF_CALLERS = /^x-(?:consumer|credential|authenticated)-/;

/** The headers in which the upstream is told of a certificate. */
export class ForwardedCertificate {
  /** In lower case. */
  readonly headers: readonly string[];
  readonly #fields: readonly (readonly [header: string, told: Told])[];

  /** Throws ConfigError. */
  constructor(config: ForwardConfig) {
    const issues: ConfigIssue[] = [];
    this.#fields = TOLD.flatMap((told) => {
      const header = config[told];
      return header === undefined ? [] : [[header.toLowerCase(), told] as const];
    });
    this.headers = this.#fields.map(([header]) => header);
    for (const [i, [header, told]] of this.#fields.entries()) {
      const fault = this.headers.indexOf(header) < i ? 'is taken already' : faultOf(header);
      if (fault !== undefined) issues.push({ path: `forward.${told}`, message: `"${header}" ${fault}` });
    }
    if (issues.length > 0) throw new ConfigError(issues);
  }

  /** In place of whatever a client said in them. */
  tell(certificate: ClientCertificate, edits: EditJournal): void {
    for (const [header, told] of this.#fields) {
      const value = fieldText(certificate[told]);
      if (value === '') edits.removeRequestHeader(header);
      else edits.setRequestHeader(header, value);
    }
  }
}

function faultOf(header: string): string | undefined {
  const kind = fieldKind(header);
  if (kind === FieldKind.OTHER || (kind === FieldKind.FORWARDING && OF_CALLERS.test(header)))
    return undefined;
  return 'is the gateway’s own to set';
}

/** What a header cannot carry is percent-encoded, and so is what would then be read as an encoding. */
const fieldText = (text: string): string =>
  /^[ -$&-~]*$/.test(text) ? text : text.replace(/[^ -$&-~]+/g, encodeURIComponent);
