import { CONTINUE, type IdentityFields, type Policy, type PolicyDefinition } from '../../contract/index.ts';
import { identityFields } from './fields.ts';
import { identityHeadersSchema } from './schema.ts';

/** Names the headers in which the upstream is told who calls. */
export const identityHeaders: PolicyDefinition<typeof identityHeadersSchema> = {
  name: 'identity-headers',
  summary: 'Names the headers in which an upstream is told who calls, and keeps clients from setting them.',
  schema: identityHeadersSchema,
  body: 'none',
  refuses: false,
  provides: ['identityFields'],
  compile(config): Policy {
    const fields = identityFields(config);
    return {
      request(c) {
        // Read once the request goes on, so that it does not matter whether the caller is known before or after.
        c.provide('identityFields', behind(c.facts.identityFields, fields));
        return CONTINUE;
      },
    };
  },
};

/** Where two are attached the later one speaks, and what the earlier one keeps from clients stays kept from them. */
function behind(earlier: IdentityFields | undefined, fields: IdentityFields): IdentityFields {
  if (earlier === undefined) return fields;
  return { names: new Set([...earlier.names, ...fields.names]), of: fields.of };
}
