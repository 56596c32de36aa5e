import { type Static, type TSchema, Type } from '../../lib/schema.ts';
import { LooseAttachment } from './attachment.ts';
import { BruteForceSchema } from './brute-force.ts';
import { ConsumerSchema } from './consumer.ts';
import { DocumentTestSchema } from './document-test.ts';
import { GeoSchema, ListSchema } from './list.ts';
import { listenerSchema } from './listener.ts';
import { OverloadSchema } from './overload.ts';
import { RecordingSchema } from './recording.ts';
import { RolloutSchema } from './rollout.ts';
import { routeSchema } from './route.ts';
import { NAME_PATTERN, nameText } from './text.ts';
import { UpstreamSchema } from './upstream.ts';

/** The document with a given form of attachments: loose for types and structure, exact for editors. */
export const documentSchema = <A extends TSchema>(attachment: A) =>
  Type.Object(
    {
      $schema: Type.Optional(Type.String({ description: 'JSON Schema for editors.' })),
      sallyport: Type.Literal(1, { description: 'Version of the document’s form.' }),
      listeners: Type.Array(listenerSchema(attachment), {
        description: 'Addresses served.',
        minItems: 1,
        maxItems: 100,
      }),
      upstreams: Type.Optional(
        Type.Record(Type.String({ pattern: NAME_PATTERN }), UpstreamSchema, {
          description: 'Named groups of backends.',
          additionalProperties: false,
        }),
      ),
      routes: Type.Optional(
        Type.Array(routeSchema(attachment), { description: 'Which requests go where, under which rules.' }),
      ),
      consumers: Type.Optional(Type.Array(ConsumerSchema, { description: 'Who calls.' })),
      groups: Type.Optional(
        Type.Array(nameText('A group that rules can name.'), {
          description:
            'Groups that come with tokens or with consumers kept live, so that rules can name them.',
          uniqueItems: true,
          maxItems: 10_000,
        }),
      ),
      bruteForce: Type.Optional(BruteForceSchema),
      overload: Type.Optional(OverloadSchema),
      rollout: Type.Optional(RolloutSchema),
      recording: Type.Optional(RecordingSchema),
      lists: Type.Optional(
        Type.Record(Type.String({ pattern: NAME_PATTERN }), ListSchema, {
          description: 'Named lists of networks, for rules to name as `list:NAME`.',
          additionalProperties: false,
          maxProperties: 1000,
        }),
      ),
      geo: Type.Optional(GeoSchema),
      tests: Type.Optional(
        Type.Array(DocumentTestSchema, {
          description: 'Run by `sallyport test` and before a revision goes live.',
        }),
      ),
    },
    { additionalProperties: false },
  );

export const StructureSchema = documentSchema(LooseAttachment);

/** A document whose structure is right; its policies' configs are still to be checked. */
export type GatewayDocument = Static<typeof StructureSchema>;
export type ListenerConfig = GatewayDocument['listeners'][number];
export type RouteConfig = NonNullable<GatewayDocument['routes']>[number];
export type UpstreamConfig = Static<typeof UpstreamSchema>;
export type ConsumerConfig = Static<typeof ConsumerSchema>;
export type DocumentTest = Static<typeof DocumentTestSchema>;
