import {
  CONTINUE,
  type Decision,
  type Policy,
  type PolicyDefinition,
  reject,
  respond,
} from '../../contract/index.ts';
import { ConfigError, PolicyRejection } from '../../errors.ts';
import { parseDuration } from '../../lib/duration.ts';
import { type ResourceMetadataConfig, resourceMetadataSchema } from './schema.ts';

/** Tells clients where to get tokens for a protected resource (RFC 9728). */
export const resourceMetadata: PolicyDefinition<typeof resourceMetadataSchema> = {
  name: 'resource-metadata',
  summary: 'Answers the metadata of a protected resource, so that clients find its authorization server.',
  schema: resourceMetadataSchema,
  body: 'none',
  compile: (config): Policy => policyOf(config),
};

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
/** It is public, and pages of every origin may read it (RFC 9728 §3.1 leaves it open; clients in browsers need it). */
const ANY_ORIGIN = ['Access-Control-Allow-Origin', '*'];
const ALLOWED = 'GET, HEAD, OPTIONS';

/** What is answered never changes: made once. Every other path goes on. */
function policyOf(config: ResourceMetadataConfig): Policy {
  const path = config.path ?? wellKnownPath(config.resource);
  const seconds = Math.floor((parseDuration(config.cache ?? '1h') ?? 0) / 1000);
  const headers = ['Content-Type', 'application/json', 'Cache-Control', `public, max-age=${seconds}`];
  const metadata = respond({
    status: 200,
    headers: Object.freeze([...headers, ...ANY_ORIGIN]),
    body: JSON.stringify(metadataOf(config)),
  });
  return {
    request({ request }): Decision {
      if (request.path !== path) return CONTINUE;
      if (request.method === 'GET' || request.method === 'HEAD') return metadata;
      return request.method === 'OPTIONS' ? PREFLIGHT : OTHER_METHOD;
    },
  };
}

/** RFC 9728 §3.1: between host and path of the resource, without a slash at the end. Throws ConfigError. */
function wellKnownPath(resource: string): string {
  const path = URL.canParse(resource) ? new URL(resource).pathname : undefined;
  // Another spelling of it would be asked for, and never found.
  const written = resource.replace(/^https?:\/\/[^/]*/, '') || '/';
  if (path !== written) throw ConfigError.at('resource', 'is no URL as it would be written by others');
  return `${WELL_KNOWN}${path.replace(/\/$/, '')}`;
}

const PREFLIGHT: Decision = respond({
  status: 204,
  headers: Object.freeze([
    ...ANY_ORIGIN,
    'Access-Control-Allow-Methods',
    'GET, HEAD',
    'Access-Control-Allow-Headers',
    '*',
    'Access-Control-Max-Age',
    '86400',
  ]),
  body: '',
});

const OTHER_METHOD: Decision = reject(
  new PolicyRejection('method-not-allowed', 'The metadata of the resource is only read.', {
    rule: 'method',
    headers: Object.freeze(['Allow', ALLOWED]),
  }),
);

/** RFC 9728 §2. What is not said is left out. */
function metadataOf(config: ResourceMetadataConfig): Readonly<Record<string, unknown>> {
  const { dpop } = config;
  return {
    resource: config.resource,
    authorization_servers: config.authorizationServers,
    scopes_supported: config.scopes,
    bearer_methods_supported: config.bearerMethods ?? ['header'],
    resource_name: config.name,
    resource_documentation: config.documentation,
    resource_policy_uri: config.policy,
    resource_tos_uri: config.termsOfService,
    tls_client_certificate_bound_access_tokens: config.mtls,
    dpop_signing_alg_values_supported: dpop?.algorithms,
    dpop_bound_access_tokens_required: dpop?.required,
  };
}
