import { type Command, Option } from 'commander';
import { orNull, type Static, Type } from '../lib/schema.ts';
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
import { parseCount, parseDurationText, parsePlace } from './options.ts';
import { printable, processTerminal, type Terminal } from './terminal.ts';
import { parseWhen, WHEN_FORM } from './when.ts';

const Credential = Type.Object({
  id: Type.String(),
  consumer: Type.String(),
  kind: Type.String(),
  origin: Type.String(),
  shown: orNull(Type.String()),
  state: Type.String(),
  expiresAt: orNull(Type.String()),
  lastUsedAt: orNull(Type.String()),
});
type Credential = Static<typeof Credential>;
const Page = Type.Object({ credentials: Type.Array(Credential), next: orNull(Type.Integer()) });
const Issued = Type.Object({ credential: Credential, secret: orNull(Type.String()) });

interface ListOptions extends AdminOptions {
  readonly consumer?: string;
  readonly limit: number;
  readonly before?: number;
}

interface CreateOptions extends AdminOptions {
  readonly kind: string;
  readonly username?: string;
  readonly keyId?: string;
  /** Paths of files in PEM. */
  readonly publicKey?: string;
  readonly certificate?: string;
  readonly notBefore?: string;
  readonly expires?: string;
}

interface RotateOptions extends AdminOptions {
  readonly overlap: string;
  readonly expires?: string;
}

interface ReasonOptions extends AdminOptions {
  readonly reason?: string;
}

type Run = (options: AdminOptions, ask: (api: AdminApi) => Promise<AdminResult>) => Promise<void>;

const pathOf = (id: string): string => `/api/credentials/${encodeURIComponent(id)}`;
const expires = (text: string): string => parseWhen(text, Date.now());
const notBefore = (text: string): string => parseWhen(text, Date.now(), 'T00:00:00Z');

/** `sallyport credentials` and the commands below it. */
export function addCredentialCommands(program: Command, terminal: Terminal = processTerminal()): void {
  const credentials = program
    .command('credentials')
    .summary('what callers prove themselves with: list, create, rotate, revoke')
    .description(
      'Looks after the credentials of a running gateway: those that are kept live, and whether those of the document ' +
        'count. What a command does is in force in every worker when it returns.',
    );
  const run: Run = async (options, ask) => {
    process.exitCode = await askAdmin(options, terminal, ask);
  };
  const list = credentials
    .command('list', { isDefault: true })
    .summary('list credentials (the default)')
    .description(
      'Lists the credentials of the document, then the live ones, newest first. No secret is shown.',
    )
    .option('--consumer <NAME>', 'only those of one consumer')
    .option('--limit <N>', 'at most so many live ones, up to 1000', parseCount, 100)
    .option('--before <N>', 'only live ones before this place in the list', parsePlace);
  addAdminOptions(list).action((options: ListOptions) =>
    run(options, (api) => listCredentials(api, options)),
  );
  addCreate(credentials, run);
  addRotate(credentials, run);
  addRevoke(credentials, run);
}

function addCreate(credentials: Command, run: Run): void {
  const create = credentials
    .command('create')
    .summary('create a credential; its secret is shown once')
    .description(
      'Creates a credential for a consumer, live or of the document. Its secret is made by the gateway and shown ' +
        'here and never again.',
    )
    .argument('<consumer>', 'whose it is')
    .addOption(
      new Option('--kind <KIND>', 'by the policy that asks for it')
        .choices(['api-key', 'basic-auth', 'hmac-signature', 'mtls'])
        .default('api-key'),
    )
    .option('--username <NAME>', 'basic-auth: default the name of the consumer')
    .option(
      '--key-id <ID>',
      'hmac-signature: what signatures name as keyid; default the id of the credential',
    )
    .option('--public-key <FILE>', 'hmac-signature: public key in PEM, in place of a shared secret')
    .option('--certificate <FILE>', 'mtls: the certificate in PEM')
    .option('--expires <WHEN>', `until when it is accepted: ${WHEN_FORM}`, expires)
    .option('--not-before <WHEN>', 'from when on it is accepted, written alike', notBefore);
  addAdminOptions(create).action((consumer: string, options: CreateOptions) => {
    const request = requestOf(consumer, options);
    return run(options, async (api) => resultOf(await api.post('/api/credentials', request)));
  });
}

function requestOf(consumer: string, options: CreateOptions): Readonly<Record<string, string | undefined>> {
  const { kind, username, keyId, publicKey, certificate } = options;
  return {
    consumer,
    kind,
    username,
    keyId,
    publicKey: publicKey === undefined ? undefined : readNamedFile(publicKey),
    certificate: certificate === undefined ? undefined : readNamedFile(certificate),
    notBefore: options.notBefore,
    expiresAt: options.expires,
  };
}

function addRotate(credentials: Command, run: Run): void {
  const rotate = credentials
    .command('rotate')
    .summary('make a new secret in place of a live one’s')
    .description(
      'Makes a new credential in place of a live one, which is still accepted for the overlap, so that callers can ' +
        'change over. After a leak use "revoke": that refuses it at once.',
    )
    .argument('<id>', 'what "sallyport credentials" lists')
    .option(
      '--overlap <DURATION>',
      'how long the old one is still accepted; 0s for not at all',
      parseDurationText,
      '24h',
    )
    .option(
      '--expires <WHEN>',
      'until when the new one is accepted; default as long after its making as the old one',
      expires,
    );
  addAdminOptions(rotate).action((id: string, options: RotateOptions) =>
    run(options, async (api) => {
      const { overlap, expires: expiresAt } = options;
      return resultOf(await api.post(`${pathOf(id)}/rotate`, { overlap, expiresAt }));
    }),
  );
}

function addRevoke(credentials: Command, run: Run): void {
  const revoke = credentials
    .command('revoke')
    .summary('refuse a credential at once')
    .description(
      'Refuses a credential, live or of the document, in every worker. A live one stays revoked for good.',
    )
    .argument('<id>', 'what "sallyport credentials" lists')
    .option('--reason <TEXT>', 'why, for the audit');
  addAdminOptions(revoke).action((id: string, options: ReasonOptions) =>
    run(options, async (api) => {
      const data = await api.post(`${pathOf(id)}/revoke`, { reason: options.reason });
      const { consumer } = expectAnswer(Credential, data);
      return { data, text: printable(`${id} of ${consumer} is revoked\n`) };
    }),
  );
  const restore = credentials
    .command('restore')
    .summary('accept a revoked credential of the document again')
    .description('Takes the revocation of a credential of the document back.')
    .argument('<id>', 'its id');
  addAdminOptions(restore).action((id: string, options: AdminOptions) =>
    run(options, async (api) => {
      const data = await api.post(`${pathOf(id)}/restore`, {});
      return { data, text: printable(`${id} is accepted again\n`) };
    }),
  );
}

function resultOf(data: unknown): AdminResult {
  const { credential, secret } = expectAnswer(Issued, data);
  const { id, consumer, kind, expiresAt } = credential;
  const until = expiresAt === null ? '' : `, until ${expiresAt}`;
  const made = printable(`${id} (${kind}) of ${consumer}${until}\n`);
  if (secret === null) return { data, text: made };
  return { data, text: `${made}\n  ${printable(secret)}\n\nThis secret is shown once. Keep it now.\n` };
}

async function listCredentials(
  api: AdminApi,
  { limit, before, consumer }: ListOptions,
): Promise<AdminResult> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (before !== undefined) query.set('before', String(before));
  if (consumer !== undefined) query.set('consumer', consumer);
  const data = await api.get(`/api/credentials?${query}`);
  const { credentials, next } = expectAnswer(Page, data);
  if (credentials.length === 0) {
    // Of a misspelt name there are none either: that is refused.
    if (consumer !== undefined) await api.get(`/api/consumers/${encodeURIComponent(consumer)}`);
    return { data, text: 'There are no credentials.\n' };
  }
  const of = consumer === undefined ? '' : ` --consumer ${consumer}`;
  const more = next === null ? '' : printable(`More: sallyport credentials list --before ${next}${of}\n`);
  return { data, text: columns([HEAD, ...credentials.map(rowOf)]) + more };
}

const HEAD = ['id', 'consumer', 'kind', 'from', 'state', 'shown', 'expires', 'last used'];
const rowOf = (credential: Credential): string[] => [
  credential.id,
  credential.consumer,
  credential.kind,
  credential.origin,
  credential.state,
  credential.shown ?? '',
  credential.expiresAt ?? 'never',
  credential.lastUsedAt ?? 'never',
];
