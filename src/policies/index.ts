import type { PolicyDefinition, PolicyOutline } from '../contract/index.ts';
import type { TSchema } from '../lib/schema.ts';
import { aclOutline } from './acl/schema.ts';
import { adaptiveLimitOutline } from './adaptive-limit/schema.ts';
import { allOfOutline } from './all-of/schema.ts';
import { anonymous } from './anonymous/policy.ts';
import { anyOfOutline } from './any-of/schema.ts';
import { apiKey } from './api-key/policy.ts';
import { autoBanOutline } from './auto-ban/schema.ts';
import { basicAuthOutline } from './basic-auth/schema.ts';
import { concurrencyOutline } from './concurrency/schema.ts';
import { corsOutline } from './cors/schema.ts';
import { externalAuthOutline } from './external-auth/schema.ts';
import { headers } from './headers/policy.ts';
import { hmacSignatureOutline } from './hmac-signature/schema.ts';
import { identityHeaders } from './identity-headers/policy.ts';
import { ipListOutline } from './ip-list/schema.ts';
import { jwtOutline } from './jwt/schema.ts';
import { mtlsOutline } from './mtls/schema.ts';
import { oauth2IntrospectionOutline } from './oauth2-introspection/schema.ts';
import { oidcLoginOutline } from './oidc-login/schema.ts';
import { quotaOutline } from './quota/schema.ts';
import { rateLimitOutline } from './rate-limit/schema.ts';
import { resourceMetadata } from './resource-metadata/policy.ts';
import { securityHeaders } from './security-headers/policy.ts';
import { upstreamAuthOutline } from './upstream-auth/schema.ts';
import { validateOutline } from './validate/schema.ts';

/** Every policy there is. A new one adds its folder and one line here. */
export const POLICIES: readonly PolicyDefinition[] = Object.freeze([
  deferred(aclOutline, async () => (await import('./acl/policy.ts')).acl),
  deferred(adaptiveLimitOutline, async () => (await import('./adaptive-limit/policy.ts')).adaptiveLimit),
  deferred(allOfOutline, async () => (await import('./all-of/policy.ts')).allOf),
  anonymous,
  deferred(anyOfOutline, async () => (await import('./any-of/policy.ts')).anyOf),
  apiKey,
  deferred(autoBanOutline, async () => (await import('./auto-ban/policy.ts')).autoBan),
  deferred(basicAuthOutline, async () => (await import('./basic-auth/policy.ts')).basicAuth),
  deferred(concurrencyOutline, async () => (await import('./concurrency/policy.ts')).concurrency),
  deferred(corsOutline, async () => (await import('./cors/policy.ts')).cors),
  deferred(externalAuthOutline, async () => (await import('./external-auth/policy.ts')).externalAuth),
  headers,
  deferred(hmacSignatureOutline, async () => (await import('./hmac-signature/policy.ts')).hmacSignature),
  identityHeaders,
  deferred(ipListOutline, async () => (await import('./ip-list/policy.ts')).ipList),
  deferred(jwtOutline, async () => (await import('./jwt/policy.ts')).jwt),
  deferred(mtlsOutline, async () => (await import('./mtls/policy.ts')).mtls),
  deferred(
    oauth2IntrospectionOutline,
    async () => (await import('./oauth2-introspection/policy.ts')).oauth2Introspection,
  ),
  deferred(oidcLoginOutline, async () => (await import('./oidc-login/policy.ts')).oidcLogin),
  deferred(quotaOutline, async () => (await import('./quota/policy.ts')).quota),
  deferred(rateLimitOutline, async () => (await import('./rate-limit/policy.ts')).rateLimit),
  resourceMetadata,
  securityHeaders,
  deferred(upstreamAuthOutline, async () => (await import('./upstream-auth/policy.ts')).upstreamAuth),
  deferred(validateOutline, async () => (await import('./validate/policy.ts')).validate),
]);

/** A policy that few documents name: its code is loaded with the first of them, by each thread that compiles it. */
function deferred<S extends TSchema>(
  outline: PolicyOutline<S>,
  load: () => Promise<PolicyDefinition<S>>,
): PolicyDefinition<S> {
  return { ...outline, compile: async (config, deps) => (await load()).compile(config, deps) };
}
