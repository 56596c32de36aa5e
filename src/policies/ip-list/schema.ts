import type { PolicyOutline } from '../../contract/index.ts';
import { networkEntrySchema } from '../../lib/network-entry.ts';
import { type Static, Type } from '../../lib/schema.ts';

const FORMS =
  'an address, a CIDR network, `list:NAME`, `country:DE` (`country:unknown`) or `asn:64496`; or an object with it as `network`, and `owner`, `reason`, `expires`';

const entries = (description: string, examples: readonly string[]) =>
  Type.Optional(
    Type.Array(networkEntrySchema(`What is listed: ${FORMS}.`), {
      description,
      minItems: 1,
      examples: [examples],
    }),
  );

const file = (description: string, example: string) =>
  Type.Optional(Type.String({ description, minLength: 1, examples: [example] }));

export const ipListSchema = Type.Object(
  {
    deny: entries(`Who is refused, whatever \`allow\` says. Each entry is ${FORMS}.`, [
      '203.0.113.0/24',
      'list:spamhaus-drop',
    ]),
    denyFile: file(
      'Path of a list of refused networks: one a line, comments after `#` or `;`.',
      './lists/deny.txt',
    ),
    allow: entries('Who alone is let on. Entries are as in `deny`.', ['10.0.0.0/8']),
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

/** What is known of it before a document names it. */
export const ipListOutline: PolicyOutline<typeof ipListSchema> = {
  name: 'ip-list',
  summary: 'Refuses addresses, networks, countries and named lists, or lets on only those listed.',
  schema: ipListSchema,
  body: 'none',
};
