import type { PolicyOutline } from '../../contract/index.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';

const token = (patternErrorMessage: string) =>
  Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", patternErrorMessage });

const METHOD = 'must be an HTTP method, like GET';
const HEADER_NAME = 'must be a header name, like x-request-id';

export const corsSchema = Type.Object(
  {
    origins: Type.Array(Type.String(), {
      description:
        'Origins that may call: `https://app.example.com`, `https://*.example.com` for every name below it, `null`, or `*` alone for all.',
      minItems: 1,
    }),
    methods: Type.Optional(
      Type.Array(token(METHOD), {
        description: 'Methods a page may use.',
        default: ['GET', 'HEAD', 'POST'],
        minItems: 1,
      }),
    ),
    headers: Type.Optional(
      Type.Array(token(HEADER_NAME), {
        description: 'Request headers a page may set, beyond those that are always allowed.',
        default: [],
      }),
    ),
    exposeHeaders: Type.Optional(
      Type.Array(token(HEADER_NAME), {
        description: 'Response headers a page may read, beyond those that are always allowed.',
        default: [],
      }),
    ),
    credentials: Type.Optional(
      Type.Boolean({ description: 'Whether cookies and HTTP authentication may be sent.', default: false }),
    ),
    maxAge: Type.Optional(
      Type.String({
        description: 'How long a browser may remember the answer to a preflight.',
        default: '10m',
        pattern: DURATION_PATTERN,
        patternErrorMessage: DURATION_MESSAGE,
      }),
    ),
  },
  { additionalProperties: false },
);

export type CorsConfig = Static<typeof corsSchema>;

/** What is known of it before a document names it. */
export const corsOutline: PolicyOutline<typeof corsSchema> = {
  name: 'cors',
  summary: 'Lets pages of other origins call, and answers their preflights.',
  schema: corsSchema,
  body: 'none',
};
