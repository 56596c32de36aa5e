import type { FastifyInstance } from 'fastify';
import { parseDuration } from '../../../lib/duration.ts';
import type { CredentialView, IssuedCredential as Issued } from '../../callers/index.ts';
import {
  Credential,
  CredentialPage,
  CredentialParams,
  CredentialQuery,
  IssuedCredential,
  NewCredential,
  Rotation,
  WithReason,
} from '../caller-schemas.ts';
import type { AdminDeps } from '../deps.ts';
import { jsonRoute } from '../json-body.ts';
import { NoQuery } from '../schemas.ts';
import { ADMIN, isoOrNull, timeOf } from './answers.ts';

const tags = ['credentials'];
const one = { tags, querystring: NoQuery, params: CredentialParams };

/** What consumers prove themselves with. A secret is in one answer only: the one that made it. */
export function addCredentialRoutes(app: FastifyInstance, { callers: { credentials } }: AdminDeps): void {
  app.get<{ Querystring: CredentialQuery }>(
    '/api/credentials',
    {
      schema: {
        tags,
        summary: 'Credentials of the document, then live ones, newest first',
        querystring: CredentialQuery,
        response: { 200: CredentialPage },
      },
    },
    async ({ query: { limit, before, consumer } }) => {
      const page = await credentials.list({ limit, before, consumer });
      return { credentials: page.credentials.map(viewCredential), next: page.next ?? null };
    },
  );
  app.post<{ Body: NewCredential }>(
    '/api/credentials',
    {
      ...jsonRoute,
      schema: {
        tags,
        summary: 'Make a credential for a consumer, live or of the document',
        querystring: NoQuery,
        body: NewCredential,
        response: { 201: IssuedCredential },
      },
    },
    async ({ body: { notBefore, expiresAt, ...asked } }, reply) => {
      const times = { notBefore: timeOf('notBefore', notBefore), expiresAt: timeOf('expiresAt', expiresAt) };
      const issued = await credentials.create({ ...asked, ...times }, ADMIN);
      const location = `/api/credentials/${issued.credential.id}`;
      return reply.code(201).header('location', location).send(viewIssued(issued));
    },
  );
  app.get<{ Params: CredentialParams }>(
    '/api/credentials/:id',
    { schema: { ...one, summary: 'One credential', response: { 200: Credential } } },
    async ({ params }) => viewCredential(await credentials.get(params.id)),
  );
  addChanges(app, credentials);
}

function addChanges(app: FastifyInstance, credentials: AdminDeps['callers']['credentials']): void {
  app.post<{ Params: CredentialParams; Body: Rotation }>(
    '/api/credentials/:id/rotate',
    {
      ...jsonRoute,
      schema: {
        ...one,
        summary: 'Make a new secret in place of a live credential’s, which is accepted for a time beside it',
        body: Rotation,
        response: { 201: IssuedCredential },
      },
    },
    async ({ params, body: { overlap, expiresAt } }, reply) => {
      const rotation = { overlapMs: parseDuration(overlap) ?? 0, expiresAt: timeOf('expiresAt', expiresAt) };
      const issued = await credentials.rotate(params.id, rotation, ADMIN);
      const location = `/api/credentials/${issued.credential.id}`;
      return reply.code(201).header('location', location).send(viewIssued(issued));
    },
  );
  app.post<{ Params: CredentialParams; Body: WithReason }>(
    '/api/credentials/:id/revoke',
    {
      ...jsonRoute,
      schema: {
        ...one,
        summary: 'Refuse a credential, live or of the document, in every worker',
        body: WithReason,
        response: { 200: Credential },
      },
    },
    async ({ params, body }) => viewCredential(await credentials.revoke(params.id, body.reason, ADMIN)),
  );
  app.post<{ Params: CredentialParams }>(
    '/api/credentials/:id/restore',
    {
      ...jsonRoute,
      schema: {
        ...one,
        summary: 'Accept a credential of the document again that was revoked',
        response: { 200: Credential },
      },
    },
    async ({ params }) => viewCredential(await credentials.restore(params.id, ADMIN)),
  );
}

const viewIssued = ({ credential, secret }: Issued) => ({
  credential: viewCredential(credential),
  secret: secret ?? null,
});

const viewCredential = (view: CredentialView) => ({
  id: view.id,
  consumer: view.consumer,
  kind: view.kind,
  origin: view.origin,
  shown: view.shown ?? null,
  state: view.state,
  createdAt: isoOrNull(view.createdAt),
  createdBy: view.createdBy ?? null,
  notBefore: isoOrNull(view.notBefore),
  expiresAt: isoOrNull(view.expiresAt),
  revokedAt: isoOrNull(view.revokedAt),
  lastUsedAt: isoOrNull(view.lastUsedAt),
  successor: view.successor ?? null,
});
