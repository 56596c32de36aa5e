import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleDeps, documentWith, KEY, parsed } from '../../../test/fixtures/config.ts';
import { policyContext } from '../../../test/fixtures/policy-context.ts';
import { CONTINUE, type CompileDeps, type PolicyDefinition } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { Type } from '../../lib/schema.ts';
import { POLICIES } from '../../policies/index.ts';
import { createBundle } from '../bundle.ts';
import { PolicyCatalog } from '../catalog.ts';

/**
 * Of policies that name callers: each looks consumers up with every request. One that is kept by a reload looks them up
 * in the document before it, where who lost a group has it still.
 */
const NAMING: readonly Readonly<Record<string, unknown>>[] = [
  { jwt: { issuer: 'https://login.test', audience: 'orders', keys: [{ secret: 'env:KEY' }] } },
  {
    'oauth2-introspection': {
      endpoint: 'https://login.test/i',
      audience: 'orders',
      clientId: 'g',
      clientSecret: 'env:KEY',
    },
  },
  { 'external-auth': { url: 'http://auth.test/', identity: { consumer: 'X-User' } } },
  {
    'oidc-login': {
      issuer: 'https://login.test',
      clientId: 'g',
      clientSecret: 'env:KEY',
      publicUrl: 'https://app.test',
      session: { secrets: ['env:KEY'] },
    },
  },
  {
    'any-of': [{ jwt: { issuer: 'https://login.test', audience: 'orders', keys: [{ secret: 'env:KEY' }] } }],
  },
  { mtls: { match: [{ commonName: 'a', consumer: 'app' }] } },
];

describe('a reload that takes a group from a consumer', () => {
  for (const item of NAMING) {
    it(`compiles ${Object.keys(item)[0]} anew, whether it was asked or not`, async () => {
      const deps = {
        ...bundleDeps(),
        catalog: new PolicyCatalog(POLICIES),
        secrets: { resolve: () => KEY + KEY },
      };
      const load = (groups: readonly string[]) =>
        createBundle(
          parsed(documentWith({ consumers: [{ name: 'app', groups }] }, { policies: [item] })),
          deps,
        );
      const before = await load(['admins']);
      const after = await load([]);
      assert.notEqual(after.snapshot.attachments[0].instance, before.snapshot.attachments[0].instance);
      await before.snapshot.dispose();
      await after.snapshot.dispose();
    });
  }
});

describe('a policy that reads only with a request', () => {
  const late = (read: (deps: CompileDeps) => unknown): PolicyDefinition => ({
    name: 'late',
    summary: 'Test policy.',
    schema: Type.Object({}),
    body: 'none',
    compile: (_, deps) => ({
      request: () => {
        read(deps);
        return CONTINUE;
      },
    }),
  });
  const reads: readonly (readonly [what: string, read: (deps: CompileDeps) => unknown])[] = [
    ['consumers', (deps) => deps.consumers.has('app')],
    ['files', (deps) => deps.files.read('file:./list.txt')],
    ['secrets', (deps) => deps.secrets.resolve('env:KEY')],
  ];
  for (const [what, read] of reads) {
    it(`cannot: ${what}`, async () => {
      const deps = {
        ...bundleDeps(undefined, { 'list.txt': 'a' }),
        catalog: new PolicyCatalog([late(read)]),
      };
      const document = parsed(documentWith({ consumers: [{ name: 'app' }] }, { policies: [{ late: {} }] }));
      const { snapshot } = await createBundle(document, deps);
      const [{ instance }] = snapshot.attachments;
      assert.throws(() => instance.request?.(policyContext()), InternalError);
      await snapshot.dispose();
    });
  }
});
