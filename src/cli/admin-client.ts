import { type Command, Option } from 'commander';
import { readAdminToken } from '../control/index.ts';
import { ConfigError, type ConfigIssue } from '../errors.ts';
import { type Static, type TSchema, Type } from '../lib/schema.ts';
import { matches } from '../lib/schema-check.ts';
import { addFormatOptions, type FormatOptions, formatOf } from './check.ts';
import { type HostPort, parseHostPort } from './options.ts';
import { paint, printable, type Terminal } from './terminal.ts';

/** What every command has that asks a running gateway. */
export interface AdminOptions extends FormatOptions {
  readonly admin: HostPort;
  /** Folder in which the admin token lies. */
  readonly data: string;
}

/** What a command found or did: the answer itself, and how a person reads it. */
export interface AdminResult {
  /** Printed as it came with `--json`. */
  readonly data: unknown;
  /** Ends with a line end. Whatever came from outside went through `printable`. */
  readonly text: string;
}

const TIMEOUT_MS = 30_000;
const TOKEN_VARIABLE = 'SALLYPORT_ADMIN_TOKEN';
/** Answers of the data side have it, those of the admin side do not. */
const REVISION_HEADER = 'x-policy-revision';

const HELP = `
The command asks a running gateway over its admin API. The admin token is read
from the folder of --data, or taken from ${TOKEN_VARIABLE}. Nothing on
the way is encrypted: reach a gateway on another machine through a tunnel.
`;
const EXIT_CODES_HELP = `
Exit codes:
  0  done
  1  the gateway does not answer, or refuses
  2  the command was used wrongly
`;

/** Adds `--admin`, `--data`, `--format` and `--json`, with help on them. `exitCodes`: where there are others. */
export function addAdminOptions(command: Command, exitCodes = EXIT_CODES_HELP): Command {
  const withGateway = command
    .addOption(
      new Option('-a, --admin <HOST:PORT>', 'where the admin side of the gateway listens')
        .argParser(parseHostPort)
        .default({ host: '127.0.0.1', port: 8090 }, '127.0.0.1:8090'),
    )
    .option('-d, --data <DIR>', 'data folder of the gateway, which holds the admin token', '.data');
  return addFormatOptions(withGateway).addHelpText('after', `${HELP}${exitCodes}`);
}

/**
 * Runs what asks the gateway and prints its result, or why there is none; gives the exit code. As JSON a refusal is
 * printed on stdout too, under `error`. Faults of this side (no token) reject with ConfigError.
 */
export async function askAdmin(
  options: AdminOptions,
  terminal: Terminal,
  ask: (api: AdminApi) => Promise<AdminResult>,
): Promise<number> {
  const isJson = formatOf(options) === 'json';
  const api = new AdminApi(options.admin, adminToken(options.data, process.env));
  try {
    const { data, text } = await ask(api);
    terminal.out(isJson ? `${JSON.stringify(data)}\n` : text);
    return 0;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    const { code, status, message } = error;
    if (isJson) terminal.out(`${JSON.stringify({ error: { code, status, detail: message } })}\n`);
    else
      terminal.error(
        `${paint(terminal, 'red', code === undefined ? 'error' : 'refused')}: ${printable(message)}\n`,
      );
    return 1;
  }
}

/** The variable wins, so that one command can speak to another gateway. @throws ConfigError when there is none */
export function adminToken(dataDir: string, environment: Readonly<NodeJS.ProcessEnv>): string {
  const given = environment[TOKEN_VARIABLE]?.trim() ?? '';
  if (given === '') return readAdminToken(dataDir);
  if (/^[\w.~+/=-]+$/.test(given)) return given;
  throw ConfigError.at('', `${TOKEN_VARIABLE} holds no token`);
}

interface AdminProblem {
  readonly code?: string;
  readonly status?: number;
  readonly issues?: readonly ConfigIssue[] | undefined;
}

/** The gateway did not do what was asked. The message is for people; nothing secret is in it. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  /** The problem's stable word; undefined where no gateway answered. */
  readonly code: string | undefined;
  /** Undefined where no gateway answered. */
  readonly status: number | undefined;
  /** What is wrong with a document; undefined where that is not what is wrong. */
  readonly issues: readonly ConfigIssue[] | undefined;

  constructor(message: string, problem: AdminProblem = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = problem.code;
    this.status = problem.status;
    this.issues = problem.issues;
  }
}

/** RFC 9457, as far as it is told to a person. */
const ProblemSchema = Type.Object({
  title: Type.String(),
  detail: Type.String(),
  code: Type.String(),
  errors: Type.Optional(
    Type.Array(
      Type.Unsafe<ConfigIssue>(
        Type.Object({
          path: Type.String(),
          message: Type.String(),
          file: Type.Optional(Type.String()),
          line: Type.Optional(Type.Integer()),
          column: Type.Optional(Type.Integer()),
          suggestion: Type.Optional(Type.String()),
        }),
      ),
    ),
  ),
});

/** The admin API of one running gateway. Paths begin with `/api/`; every method rejects with AdminError. */
export class AdminApi {
  readonly #origin: string;
  readonly #token: string;

  constructor({ host, port }: HostPort, token: string) {
    this.#origin = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#token = token;
  }

  get(path: string): Promise<unknown> {
    return this.#ask('GET', path);
  }

  /** `body`: plain data, sent as JSON; left out, none is sent. */
  post(path: string, body?: unknown): Promise<unknown> {
    return this.#ask('POST', path, body);
  }

  /** Sends a document as it is. `expected`: refused where another revision is active. */
  postDocument(path: string, text: string, expected: string | undefined): Promise<unknown> {
    const type = /^\s*\{/.test(text) ? 'application/json' : 'application/yaml';
    const condition = expected === undefined ? {} : { 'if-match': `"${expected}"` };
    return this.#exchange('POST', path, { 'content-type': type, ...condition }, text);
  }

  put(path: string, body: unknown): Promise<unknown> {
    return this.#ask('PUT', path, body);
  }

  patch(path: string, body: unknown): Promise<unknown> {
    return this.#ask('PATCH', path, body);
  }

  delete(path: string): Promise<unknown> {
    return this.#ask('DELETE', path);
  }

  #ask(method: string, path: string, body?: unknown): Promise<unknown> {
    if (body === undefined) return this.#exchange(method, path, {}, undefined);
    return this.#exchange(method, path, { 'content-type': 'application/json' }, JSON.stringify(body));
  }

  async #exchange(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
  ): Promise<unknown> {
    const answer = await this.#send(method, path, headers, body);
    const text = await answer.text();
    const value = answer.status === 204 ? undefined : parseJson(text);
    if (answer.ok) return value;
    if (answer.headers.has(REVISION_HEADER)) throw this.#isListener(answer.status);
    throw this.#refusal(answer.status, value);
  }

  async #send(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
  ): Promise<Response> {
    try {
      return await fetch(`${this.#origin}${path}`, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, ...headers },
        ...(body === undefined ? {} : { body }),
        // The token must not follow to another place.
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      const reason = reasonOf(cause);
      const fix =
        'is "sallyport run" running, with its admin side there? --admin HOST:PORT names another place';
      throw new AdminError(`no gateway answers at ${this.#origin} (${reason}): ${fix}`, {}, { cause });
    }
  }

  #isListener(status: number): AdminError {
    const fix = '--admin HOST:PORT names its admin side';
    return new AdminError(`what answers at ${this.#origin} is a listener of a gateway: ${fix}`, { status });
  }

  #refusal(status: number, value: unknown): AdminError {
    if (!matches(ProblemSchema, value)) {
      const message = `what answers at ${this.#origin} is no admin side of Sallyport (status ${status})`;
      return new AdminError(message, { status });
    }
    const { title, detail, code, errors: issues } = value;
    if (code === 'invalid-credential') {
      const fix = `was the gateway started with another --data, or is ${TOKEN_VARIABLE} of another one?`;
      return new AdminError(`the gateway at ${this.#origin} refuses the admin token: ${fix}`, {
        code,
        status,
      });
    }
    return new AdminError(detail === '' ? title : detail, { code, status, issues });
  }
}

/**
 * An answer as its reader expects it; members beyond that are left alone, since the gateway may be newer.
 * @throws AdminError when it has another form
 */
export function expectAnswer<S extends TSchema>(schema: S, answer: unknown): Static<S> {
  if (matches(schema, answer)) return answer;
  throw new AdminError(
    'the gateway gave an answer that this command does not understand: are they of one version?',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `fetch` hides the system's reason in its cause, of which there may be one for each address tried. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}
