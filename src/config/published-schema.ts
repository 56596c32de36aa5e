import { type TSchema, Type } from '../lib/schema.ts';
import type { PolicyCatalog } from './catalog.ts';
import { ATTACHMENT_SETTINGS, MEMBER_SETTINGS } from './schema/attachment.ts';
import { documentSchema } from './schema/document.ts';

/**
 * The document's JSON Schema for editors (draft-07, which yaml-language-server completes best): every key with
 * its description, and every policy as one of the keys an attachment may have, with its config's schema.
 */
export function publishedSchema(catalog: PolicyCatalog): Readonly<Record<string, unknown>> {
  const attachment: TSchema = Type.Unsafe({ $ref: '#/definitions/attachment' });
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Sallyport document',
    description: 'Configuration of the Sallyport gateway.',
    ...documentSchema(attachment),
    definitions: { attachment: attachmentSchema(catalog), member: memberSchema(catalog) },
  };
}

/** An attachment inside another's config (`MEMBER` in lib/schema). */
function memberSchema(catalog: PolicyCatalog): Readonly<Record<string, unknown>> {
  const names = catalog.definitions
    .filter(({ provides }) => typeof provides === 'function' || provides?.includes('identity'))
    .map(({ name }) => name);
  return {
    type: 'object',
    description: 'One way to prove who calls.',
    properties: {
      ...Object.fromEntries(
        names.map((name) => [name, { $ref: `#/definitions/attachment/properties/${name}` }]),
      ),
      ...MEMBER_SETTINGS,
    },
    additionalProperties: false,
    oneOf: names.map((name) => ({ required: [name] })),
  };
}

function attachmentSchema(catalog: PolicyCatalog): Readonly<Record<string, unknown>> {
  const policies = catalog.definitions.map(({ name, summary, schema }) => {
    const config = catalog.is(schema, {}) ? { anyOf: [schema, { type: 'null' }] } : { allOf: [schema] };
    return [name, { description: summary, ...config }] as const;
  });
  return {
    type: 'object',
    description: 'One policy, and how it is attached.',
    properties: { ...Object.fromEntries(policies), ...ATTACHMENT_SETTINGS },
    additionalProperties: false,
    oneOf: policies.map(([name]) => ({ required: [name] })),
  };
}
