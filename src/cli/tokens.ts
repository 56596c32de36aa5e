import type { Command } from 'commander';
import { ConfigError } from '../errors.ts';
import { orNull, Type } from '../lib/schema.ts';
import { matches } from '../lib/schema-check.ts';
import {
  type AdminApi,
  type AdminOptions,
  type AdminResult,
  addAdminOptions,
  askAdmin,
  expectAnswer,
} from './admin-client.ts';
import { columns } from './columns.ts';
import { readNamedFile } from './named-file.ts';
import { printable, processTerminal, type Terminal } from './terminal.ts';
import { parseWhen, WHEN_FORM } from './when.ts';

const Revocation = Type.Object({
  kind: Type.String(),
  issuer: orNull(Type.String()),
  subject: Type.String(),
  at: Type.String(),
  by: Type.String(),
  reason: Type.String(),
  until: orNull(Type.String()),
});
const Revocations = Type.Object({ revocations: Type.Array(Revocation) });

interface RevokeOptions extends AdminOptions {
  readonly issuer?: string;
  readonly id?: string;
  readonly until?: string;
  readonly reason?: string;
}

/** `sallyport tokens revoke` and `sallyport revocations`. */
export function addTokenCommands(program: Command, terminal: Terminal = processTerminal()): void {
  const tokens = program
    .command('tokens')
    .summary('tokens of issuers: revoke one')
    .description('Refuses single tokens of issuers before their time.');
  const revoke = tokens
    .command('revoke')
    .summary('refuse one token at once')
    .description(
      'Refuses one token (JWT) of an issuer in every worker, until it expires by itself. Name it by its issuer and ' +
        'id, or give the token in a file or on stdin: what is read of it is its iss, jti and exp, and nothing else ' +
        'leaves this machine. It is not verified.',
    )
    .argument('[file]', 'file with the token; - for stdin')
    .option('--issuer <ISS>', 'its iss')
    .option('--id <JTI>', 'its jti')
    .option('--until <WHEN>', `when it expires, or later: ${WHEN_FORM}`, (text) =>
      parseWhen(text, Date.now()),
    )
    .option('--reason <TEXT>', 'why, for the audit');
  addAdminOptions(revoke).action(async (file: string | undefined, options: RevokeOptions) => {
    const token = tokenOf(file, options);
    process.exitCode = await askAdmin(options, terminal, (api) => revokeToken(api, token));
  });
  const revocations = program
    .command('revocations')
    .summary('list revoked tokens, and what of the document is refused')
    .description('Lists revoked tokens, and credentials and consumers of the document that are refused.');
  addAdminOptions(revocations).action(async (options: AdminOptions) => {
    process.exitCode = await askAdmin(options, terminal, listRevocations);
  });
}

interface NamedToken {
  readonly issuer: string;
  readonly id: string;
  readonly until: string;
  readonly reason: string;
}

/** Options win over what the token says. */
function tokenOf(file: string | undefined, options: RevokeOptions): NamedToken {
  const said = file === undefined ? {} : claimsOf(readNamedFile(file).trim());
  const { issuer = said.issuer, id = said.id, until = said.until, reason = '' } = options;
  if (issuer === undefined) throw incomplete('issuer', 'iss', '--issuer ISS');
  if (id === undefined) throw incomplete('id', 'jti', '--id JTI');
  if (until === undefined) throw incomplete('time it expires at', 'exp', '--until WHEN');
  return { issuer, id, until, reason };
}

const incomplete = (what: string, claim: string, option: string): ConfigError =>
  ConfigError.at(
    '',
    `the ${what} of the token is not known`,
    `give ${option}, or a file with the token, which has its ${claim}`,
  );

const Claims = Type.Object({
  iss: Type.Optional(Type.String()),
  jti: Type.Optional(Type.String()),
  exp: Type.Optional(Type.Number()),
});

function claimsOf(token: string): Partial<Omit<NamedToken, 'reason'>> {
  const payload = token.split('.')[1];
  const claims = payload === undefined ? undefined : parseJson(Buffer.from(payload, 'base64url').toString());
  if (!matches(Claims, claims)) throw ConfigError.at('', 'this is no JWT');
  const { iss, jti, exp } = claims;
  const until = exp === undefined ? Number.NaN : exp * 1000;
  return {
    ...(iss === undefined ? {} : { issuer: iss }),
    ...(jti === undefined ? {} : { id: jti }),
    ...(Math.abs(until) < 8.64e15 ? { until: new Date(until).toISOString() } : {}),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function revokeToken(api: AdminApi, token: NamedToken): Promise<AdminResult> {
  const data = await api.post('/api/revocations/tokens', token);
  const { subject, issuer, until } = expectAnswer(Revocation, data);
  return { data, text: printable(`${subject} of ${issuer} is revoked until ${until}\n`) };
}

async function listRevocations(api: AdminApi): Promise<AdminResult> {
  const data = await api.get('/api/revocations');
  const { revocations } = expectAnswer(Revocations, data);
  if (revocations.length === 0) return { data, text: 'Nothing is revoked.\n' };
  const rows = revocations.map(({ kind, subject, issuer, at, until, by, reason }) => [
    ...[kind, subject, issuer ?? ''],
    ...[at, until ?? 'for good', by, reason],
  ]);
  return { data, text: columns([['what', 'which', 'issuer', 'since', 'until', 'by', 'reason'], ...rows]) };
}
