import {
  type Awaitable,
  CONTINUE,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { ConfigError, PolicyRejection } from '../../errors.ts';
import { FieldKind, fieldKind } from '../../http1/index.ts';
import { type Credential, compileCredential, type Lack } from './credential.ts';
import { type UpstreamAuthConfig, upstreamAuthOutline, type upstreamAuthSchema } from './schema.ts';

/** Proves the gateway, or who calls it, to the upstream. */
export const upstreamAuth: PolicyDefinition<typeof upstreamAuthSchema> = {
  ...upstreamAuthOutline,
  compile(config, deps): Policy {
    checkKinds(config);
    const headers = (config.strip ?? ['Authorization']).map((name, i) => checked(name, `strip[${i}]`));
    for (const kind of ['apiKey', 'jwt'] as const) {
      const header = config[kind]?.header;
      if (header !== undefined) checked(header, `${kind}.header`);
    }
    const credential = compileCredential(config, deps);
    const proof = new Proof(headers, credential);
    const { refused, release } = credential;
    return {
      vouchesFor: proof.replaced,
      request: (c) => proof.put(c),
      // A phase that does nothing would be walked through with every answer.
      ...(refused === undefined ? {} : { response: (c, { status }) => toldOf(c, status, refused) }),
      ...(release === undefined ? {} : { dispose: release }),
    };
  },
};

/** In shadow the upstream was shown another credential: what it says of that is nothing about ours. */
function toldOf({ shadow }: PolicyContext, status: number, refused: () => void): Decision {
  if (status === 401 && !shadow) refused();
  return CONTINUE;
}

const KINDS = ['apiKey', 'basic', 'bearer', 'oauth2', 'jwt'] as const;

function checkKinds(config: UpstreamAuthConfig): void {
  const [first, second] = KINDS.filter((kind) => config[kind] !== undefined);
  if (second !== undefined)
    throw ConfigError.at(second, `another credential, ${first}, is there`, 'attach the policy once for each');
}

/** Framing, the hop, and what only the gateway says of a request. */
function checked(name: string, path: string): string {
  const kind = fieldKind(name);
  if (kind !== FieldKind.OTHER && kind !== FieldKind.NOT_IN_TRAILERS)
    throw ConfigError.at(path, `"${name}" is the gateway’s own to set`);
  return name.toLowerCase();
}

/** Puts a credential in the place of the client's. */
class Proof {
  /** Headers of the client that go no further. Lower case. */
  readonly replaced: readonly string[];
  readonly #credential: Credential;

  constructor(stripped: readonly string[], credential: Credential) {
    this.#credential = credential;
    this.replaced = [...new Set([...stripped, credential.header.toLowerCase()])];
  }

  /**
   * A refusal is returned and never thrown: with `onError: continue` the request would go on, and with the client's
   * own credentials at that.
   */
  put(c: PolicyContext): Awaitable<Decision> {
    for (const name of this.replaced) c.edits.removeRequestHeader(name);
    try {
      const value = this.#credential.valueFor(c);
      if (!(value instanceof Promise)) return this.#act(c, value);
      return value.then(
        (found) => this.#act(c, found),
        () => UNMADE,
      );
    } catch {
      return UNMADE;
    }
  }

  #act(c: PolicyContext, value: string | Lack): Decision {
    if (typeof value === 'string') {
      c.edits.setRequestHeader(this.#credential.header, value);
      return CONTINUE;
    }
    const { lack, reason } = value;
    return lack === 'caller' ? unknownCaller(reason) : unavailable(reason);
  }
}

const unavailable = (reason: string): Decision =>
  reject(
    new PolicyRejection('identity-unavailable', 'The upstream cannot be asked now.', {
      rule: 'credential',
      reason,
    }),
  );

const unknownCaller = (reason: string): Decision =>
  reject(new PolicyRejection('unauthenticated', 'Authentication is required.', { rule: 'caller', reason }));

/** What exactly went wrong may hold claims or keys. */
const UNMADE = unavailable('the credential for the upstream cannot be made');
