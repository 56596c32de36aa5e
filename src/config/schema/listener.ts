import { type TSchema, Type } from '../../lib/schema.ts';
import { policiesOf } from './attachment.ts';
import { durationText, fileReference, nameText, patterned, secretReference, sizeText } from './text.ts';

const count = (description: string, fallback: number) =>
  Type.Optional(Type.Integer({ description, default: fallback, minimum: 1, maximum: 1_000_000 }));

const perSecond = (description: string) =>
  Type.Optional(Type.Integer({ description, minimum: 1, maximum: 1_000_000 }));

/** Defaults as a user would write them; `compile/listener.ts` reads them from here. */
export const DEFAULT_LIMITS = Object.freeze({
  headerBytes: '32kB',
  headers: 100,
  targetBytes: '8kB',
  bodyBytes: '10MB',
  headerTimeout: '10s',
  bodyTimeout: '30s',
  idleTimeout: '60s',
  writeTimeout: '30s',
  minBodyRate: '240B',
  connections: 10_000,
  connectionsPerAddress: 1000,
});

const LimitsSchema = Type.Object(
  {
    headerBytes: Type.Optional(
      sizeText('Request line and header fields together.', DEFAULT_LIMITS.headerBytes),
    ),
    headers: count('Number of header fields.', DEFAULT_LIMITS.headers),
    targetBytes: Type.Optional(sizeText('Request target (path and query).', DEFAULT_LIMITS.targetBytes)),
    bodyBytes: Type.Optional(sizeText('Request body.', DEFAULT_LIMITS.bodyBytes)),
    headerTimeout: Type.Optional(
      durationText('From the first byte of a request to the end of its head.', DEFAULT_LIMITS.headerTimeout),
    ),
    bodyTimeout: Type.Optional(
      durationText('Longest silence while a request body is awaited.', DEFAULT_LIMITS.bodyTimeout),
    ),
    idleTimeout: Type.Optional(
      durationText('Between requests on a kept connection.', DEFAULT_LIMITS.idleTimeout),
    ),
    writeTimeout: Type.Optional(
      durationText(
        'Longest time a client may need for what waits for it, about 64 kB.',
        DEFAULT_LIMITS.writeTimeout,
      ),
    ),
    minBodyRate: Type.Optional(
      sizeText(
        'Body bytes per second that a client must send on average. Below it, its `bodyTimeout` runs down; `0B` for any rate.',
        DEFAULT_LIMITS.minBodyRate,
      ),
    ),
    connections: count(
      'Open connections of the node, TLS handshakes among them.',
      DEFAULT_LIMITS.connections,
    ),
    connectionsPerAddress: count(
      'Open connections of the node from one client address (IPv6: from one /64).',
      DEFAULT_LIMITS.connectionsPerAddress,
    ),
    newConnections: perSecond('New connections per second of the node. Any number by default.'),
    newConnectionsPerAddress: perSecond(
      'New connections per second of the node from one client address (IPv6: from one /64). Any number by default.',
    ),
  },
  {
    additionalProperties: false,
    description: 'What one client, and all together, may ask of this listener.',
  },
);

export const DEFAULT_TLS = Object.freeze({ minVersion: 'TLSv1.2', clientAuth: 'required' });

const TlsSchema = Type.Object(
  {
    certificates: Type.Array(
      Type.Object(
        {
          cert: fileReference('PEM file: the certificate, then its intermediates.'),
          key: secretReference('PEM of the private key.'),
        },
        { additionalProperties: false },
      ),
      { description: 'Certificates to serve.', minItems: 1, maxItems: 100 },
    ),
    minVersion: Type.Optional(
      Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')], {
        description: 'The oldest version spoken.',
        default: DEFAULT_TLS.minVersion,
      }),
    ),
    clientCa: Type.Optional(
      fileReference(
        'PEM file of the authorities that may sign certificates of clients, up to their roots. With it clients are asked for one.',
      ),
    ),
    clientAuth: Type.Optional(
      Type.Union([Type.Literal('required'), Type.Literal('optional')], {
        description:
          'Whether a client without a certificate is refused, or let on to the policies. A wrong one is always refused. Needs `clientCa`.',
        default: DEFAULT_TLS.clientAuth,
      }),
    ),
    crl: Type.Optional(
      fileReference(
        'PEM file of revocation lists, one of each authority in a chain, the root included. A list that is out of date, or missing, refuses all its clients. Needs `clientCa`.',
      ),
    ),
  },
  { additionalProperties: false, description: 'Serve HTTPS.' },
);

const rejectOrKeep = (description: string) =>
  Type.Optional(
    Type.Union([Type.Literal('reject'), Type.Literal('keep')], { description, default: 'reject' }),
  );

export const listenerSchema = <A extends TSchema>(attachment: A) =>
  Type.Object(
    {
      name: nameText('Unique name of this listener.'),
      address: patterned(
        '^([^\\s:\\[\\]]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$',
        'must be an address and a port, like 0.0.0.0:8080 or [::]:8080',
        { description: 'Address and port to listen on; IPv6 in brackets.', examples: ['0.0.0.0:8080'] },
      ),
      tls: Type.Optional(TlsSchema),
      trustedProxies: Type.Optional(
        Type.Array(Type.String(), {
          description:
            'Networks (CIDR) of the proxies in front, whose X-Forwarded-For and PROXY header are believed. None by default.',
          maxItems: 10_000,
        }),
      ),
      proxyProtocol: Type.Optional(
        Type.Union([Type.Literal('off'), Type.Literal('required')], {
          description:
            '`required`: every connection comes from one of `trustedProxies` and begins, before TLS, with a PROXY header (version 1 or 2) that says whose it is; all others are cut.',
          default: 'off',
        }),
      ),
      limits: Type.Optional(LimitsSchema),
      revisionHeader: Type.Optional(
        Type.Boolean({ description: 'Whether answers carry `x-policy-revision`.', default: true }),
      ),
      encodedSlashes: rejectOrKeep('`%2F` in a path: refuse the request, or keep it as it is.'),
      semicolons: rejectOrKeep(
        '`;` in a path, which some servers cut away before they match: refuse, or keep.',
      ),
      underscoreHeaders: rejectOrKeep('Header names with `_`: refuse the request, or keep them.'),
      methodOverride: rejectOrKeep(
        'Headers that ask for another method (`X-HTTP-Method-Override`, `X-HTTP-Method`, `X-Method-Override`): refuse the request, or keep them.',
      ),
      policies: policiesOf(attachment, 'Apply to every request of this listener, before the route’s own.'),
    },
    { additionalProperties: false },
  );
