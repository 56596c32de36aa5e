import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, policyContext } from '../../../test/fixtures/policy-context.ts';
import { resourceMetadata } from './policy.ts';
import type { ResourceMetadataConfig } from './schema.ts';

runPolicyCases(resourceMetadata, new URL('cases.json', import.meta.url));

const LEAST = { resource: 'https://api.test', authorizationServers: ['https://login.test'] };

async function metadata(config: ResourceMetadataConfig): Promise<unknown> {
  const policy = await resourceMetadata.compile(config, compileDeps());
  const c = policyContext({ path: '/.well-known/oauth-protected-resource' });
  const decision = await policy.request?.(c);
  assert.ok(decision?.kind === 'respond');
  return JSON.parse(String(decision.response.body));
}

describe('resource metadata', () => {
  it('says what is known and nothing else', async () => {
    assert.deepEqual(await metadata(LEAST), {
      resource: 'https://api.test',
      authorization_servers: ['https://login.test'],
      bearer_methods_supported: ['header'],
    });
  });

  it('names everything as RFC 9728 does', async () => {
    const config: ResourceMetadataConfig = {
      ...LEAST,
      scopes: ['orders.read'],
      bearerMethods: ['header', 'query'],
      name: 'Orders',
      documentation: 'https://api.test/docs',
      policy: 'https://api.test/policy',
      termsOfService: 'https://api.test/terms',
      dpop: { required: true, algorithms: ['ES256'] },
      mtls: true,
    };
    assert.deepEqual(await metadata(config), {
      resource: 'https://api.test',
      authorization_servers: ['https://login.test'],
      scopes_supported: ['orders.read'],
      bearer_methods_supported: ['header', 'query'],
      resource_name: 'Orders',
      resource_documentation: 'https://api.test/docs',
      resource_policy_uri: 'https://api.test/policy',
      resource_tos_uri: 'https://api.test/terms',
      tls_client_certificate_bound_access_tokens: true,
      dpop_signing_alg_values_supported: ['ES256'],
      dpop_bound_access_tokens_required: true,
    });
  });
});
