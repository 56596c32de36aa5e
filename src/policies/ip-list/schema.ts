import { type Static, Type } from '../../lib/schema.ts';

const networks = (description: string, example: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
      description,
      minItems: 1,
      examples: [[example]],
    }),
  );

const file = (description: string, example: string) =>
  Type.Optional(Type.String({ description, minLength: 1, examples: [example] }));

export const ipListSchema = Type.Object(
  {
    deny: networks(
      'Addresses and CIDR networks that are refused, whatever `allow` says. IPv4 and IPv6.',
      '203.0.113.0/24',
    ),
    denyFile: file(
      'Path of a list of refused networks: one a line, comments after `#` or `;`.',
      './lists/deny.txt',
    ),
    allow: networks('The only addresses and CIDR networks that are let on.', '10.0.0.0/8'),
    allowFile: file(
      'Path of a list of the only networks that are let on: one a line, comments after `#` or `;`.',
      './lists/partners.txt',
    ),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    description: 'Refuses or lets on by the address of the client.',
  },
);

export type IpListConfig = Static<typeof ipListSchema>;
