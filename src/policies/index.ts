import type { PolicyDefinition } from '../contract/index.ts';
import { acl } from './acl/policy.ts';
import { allOf } from './all-of/policy.ts';
import { anonymous } from './anonymous/policy.ts';
import { anyOf } from './any-of/policy.ts';
import { apiKey } from './api-key/policy.ts';
import { basicAuth } from './basic-auth/policy.ts';
import { cors } from './cors/policy.ts';
import { externalAuth } from './external-auth/policy.ts';
import { headers } from './headers/policy.ts';
import { hmacSignature } from './hmac-signature/policy.ts';
import { identityHeaders } from './identity-headers/policy.ts';
import { ipList } from './ip-list/policy.ts';
import { jwt } from './jwt/policy.ts';
import { mtls } from './mtls/policy.ts';
import { oidcLogin } from './oidc-login/policy.ts';
import { rateLimit } from './rate-limit/policy.ts';
import { resourceMetadata } from './resource-metadata/policy.ts';
import { securityHeaders } from './security-headers/policy.ts';
import { upstreamAuth } from './upstream-auth/policy.ts';
import { validate } from './validate/policy.ts';

/** Every policy there is. A new one adds its folder and one line here. */
export const POLICIES: readonly PolicyDefinition[] = Object.freeze([
  acl,
  allOf,
  anonymous,
  anyOf,
  apiKey,
  basicAuth,
  cors,
  externalAuth,
  headers,
  hmacSignature,
  identityHeaders,
  ipList,
  jwt,
  mtls,
  oidcLogin,
  rateLimit,
  resourceMetadata,
  securityHeaders,
  upstreamAuth,
  validate,
]);
