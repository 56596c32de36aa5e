import { orNull, type Static, type TProperties, Type } from '../../lib/schema.ts';

/** Nothing beyond what is named: unknown keys are refused on the way in and left out on the way out. */
export const strict = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

/** RFC 3339. */
export const Time = Type.String({ format: 'date-time' });
export const RevisionId = Type.String({
  pattern: '^[0-9a-f]{64}$',
  description: 'Hash of the canonical document.',
});

export const NoQuery = strict({});

export const PageQuery = strict({
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 50 }),
  before: Type.Optional(Type.Integer({ minimum: 1, description: 'The `next` of the page before.' })),
});
export type PageQuery = Static<typeof PageQuery>;

export const RevisionParams = strict({ id: RevisionId });
export type RevisionParams = Static<typeof RevisionParams>;

export const WorkerParams = strict({ id: Type.Integer({ minimum: 0, maximum: 65_535 }) });
export type WorkerParams = Static<typeof WorkerParams>;

const Issue = strict({
  path: Type.String({ description: 'Place in the document, e.g. routes[0].upstream.' }),
  message: Type.String(),
  line: Type.Optional(Type.Integer()),
  column: Type.Optional(Type.Integer()),
  file: Type.Optional(Type.String()),
  suggestion: Type.Optional(Type.String()),
});

/** RFC 9457. */
export const Problem = strict({
  type: Type.String({ description: 'urn:sallyport:error: and the code.' }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  instance: Type.Optional(Type.String()),
  code: Type.String({ description: 'Stable word for programs.' }),
  requestId: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(Issue)),
});

export const Health = strict({ status: Type.Literal('ok') });

const Source = orNull(
  Type.Union([Type.Literal('document'), Type.Literal('store'), Type.Literal('last-good')]),
);

export const Readiness = strict({
  ready: Type.Boolean(),
  reason: orNull(Type.String()),
  revision: orNull(RevisionId),
  source: Source,
});

const revisionSummary = {
  number: Type.Integer(),
  id: RevisionId,
  createdAt: Time,
  author: Type.String(),
  reason: Type.String(),
};

export const RevisionPage = strict({
  revisions: Type.Array(strict(revisionSummary)),
  active: orNull(RevisionId),
  next: orNull(Type.Integer()),
});

export const Revision = strict({
  ...revisionSummary,
  document: Type.String({ description: 'YAML or JSON, as it was sent.' }),
  files: Type.Record(Type.String(), Type.String()),
});

export const Worker = strict({
  id: Type.Integer(),
  state: Type.Union([Type.Literal('starting'), Type.Literal('serving'), Type.Literal('waiting')]),
  restarts: Type.Integer(),
  lastEnd: orNull(Type.String()),
});

export const Workers = strict({ workers: Type.Array(Worker) });

export const Status = strict({
  version: Type.String(),
  ready: Type.Boolean(),
  reason: orNull(Type.String()),
  revision: orNull(RevisionId),
  source: Source,
  activatedAt: orNull(Time),
  /** `damaged`: it answers, and somebody has to look at it. */
  store: Type.Union([Type.Literal('ok'), Type.Literal('unavailable'), Type.Literal('damaged')]),
  /** The store that counts for several nodes; null where there is none. */
  sharedState: orNull(Type.Union([Type.Literal('up'), Type.Literal('lost')])),
  refusal: orNull(
    strict({
      at: Time,
      origin: Type.String(),
      revision: orNull(RevisionId),
      issues: Type.Array(Issue),
    }),
  ),
  workers: Type.Array(Worker),
});

export const Policies = strict({
  policies: Type.Array(
    strict({
      name: Type.String(),
      summary: Type.String(),
      schema: Type.Unknown({ description: 'JSON Schema.' }),
    }),
  ),
});

export const AuditPage = strict({
  entries: Type.Array(
    strict({
      number: Type.Integer(),
      hash: Type.String(),
      at: Time,
      actor: Type.String(),
      action: Type.String(),
      subject: Type.String(),
      detail: Type.Unknown(),
    }),
  ),
  next: orNull(Type.Integer()),
});

export const AuditVerification = strict({
  intact: Type.Boolean(),
  number: Type.Integer({ description: 'Entries of an intact chain, or the first one at fault.' }),
  hash: orNull(Type.String({ description: 'Head of an intact chain: keep it elsewhere.' })),
  fault: orNull(Type.Union([Type.Literal('edited'), Type.Literal('removed'), Type.Literal('truncated')])),
});
