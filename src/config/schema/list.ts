import { networkEntrySchema } from '../../lib/network-entry.ts';
import { Type } from '../../lib/schema.ts';
import { durationText, fileReference, patterned, sizeText } from './text.ts';

/** Defaults as a user would write them; `compile/lists.ts` reads them from here. */
export const DEFAULT_LIST = Object.freeze({
  refresh: '12h',
  format: 'auto',
  field: 'cidr',
  maxChange: '20%',
  maxEntries: 1_000_000,
  maxBytes: '16MB',
  allowPrivate: false,
  onStale: 'keep',
  staleAfter: '7d',
  timeout: '30s',
} as const);

const networks = (description: string, maxItems: number) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { description, maxItems });

const memberName = (description: string) => Type.String({ description, minLength: 1, maxLength: 100 });

const HeaderValue = Type.String({
  description: 'A value, or a reference to a secret: env:NAME or file:PATH.',
  minLength: 1,
  maxLength: 2000,
  pattern: '^[ -~]*$',
  patternErrorMessage: 'must be visible ASCII',
});

export const ListSchema = Type.Object(
  {
    source: Type.Optional(
      patterned(
        '^(https?://[^\\s@#]+|file:.+)$',
        'must be an https:// URL (http:// on loopback only) without user and fragment, or file:PATH',
        {
          description: 'Where its networks come from: a URL, or a file relative to the document.',
          examples: ['https://feeds.example.net/drop.txt', 'file:./lists/drop.txt'],
          maxLength: 2000,
        },
      ),
    ),
    entries: Type.Optional(
      Type.Array(networkEntrySchema('An address or a network.'), {
        description: 'Networks kept by hand, beside those of the source or alone.',
        minItems: 1,
        maxItems: 10_000,
      }),
    ),
    refresh: Type.Optional(
      durationText(
        'How often a URL is asked, give or take a tenth. Files are looked at all the time.',
        DEFAULT_LIST.refresh,
      ),
    ),
    format: Type.Optional(
      Type.Union([Type.Literal('auto'), Type.Literal('plain'), Type.Literal('json')], {
        description:
          '`plain`: one network a line, comments after `#` or `;`; `json`: one array, or one object a line.',
        default: DEFAULT_LIST.format,
      }),
    ),
    items: Type.Optional(memberName('Member of a JSON object that holds the array of networks.')),
    field: Type.Optional(
      Type.Union(
        [memberName('A member.'), Type.Array(memberName('A member.'), { minItems: 1, maxItems: 8 })],
        {
          description: 'Member, or members, of each JSON object that hold a network.',
          default: DEFAULT_LIST.field,
        },
      ),
    ),
    maxChange: Type.Optional(
      patterned('^(0|[1-9][0-9]{0,3})%$', 'must be a share of the list, like 20%', {
        description: 'A refresh that adds and removes more than this share of the list is held for a person.',
        default: DEFAULT_LIST.maxChange,
      }),
    ),
    maxEntries: Type.Optional(
      Type.Integer({
        description: 'A longer feed is refused.',
        default: DEFAULT_LIST.maxEntries,
        minimum: 1,
        maximum: 2_000_000,
      }),
    ),
    maxBytes: Type.Optional(sizeText('A larger feed is refused.', DEFAULT_LIST.maxBytes)),
    allowPrivate: Type.Optional(
      Type.Boolean({
        description: 'Whether it may hold loopback, private, link-local and carrier-grade NAT networks.',
        default: DEFAULT_LIST.allowPrivate,
      }),
    ),
    protect: Type.Optional(
      networks('Networks of your own: a refresh that would list any of them is held for a person.', 10_000),
    ),
    onStale: Type.Optional(
      Type.Union([Type.Literal('keep'), Type.Literal('drop')], {
        description:
          'What becomes of the entries after `staleAfter`: kept, or dropped until the next refresh.',
        default: DEFAULT_LIST.onStale,
      }),
    ),
    staleAfter: Type.Optional(
      durationText(
        'Time without a good refresh after which the list counts as stale.',
        DEFAULT_LIST.staleAfter,
      ),
    ),
    timeout: Type.Optional(durationText('For one refresh.', DEFAULT_LIST.timeout)),
    headers: Type.Optional(
      Type.Record(Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$" }), HeaderValue, {
        description: 'Sent to the URL. What proves who asks is written as a reference.',
        additionalProperties: false,
        maxProperties: 20,
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Networks that rules name as `list:NAME`: kept fresh from a feed, kept by hand, or both.',
  },
);

export const GeoSchema = Type.Object(
  {
    country: Type.Optional(fileReference('Database of countries, for `country:` in `ip-list`.')),
    asn: Type.Optional(fileReference('Database of autonomous systems, for `asn:` in `ip-list`.')),
  },
  {
    additionalProperties: false,
    description: 'Databases about addresses in the MaxMind format. Yours: none is shipped.',
  },
);
