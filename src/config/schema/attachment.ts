import { type Static, type TSchema, Type } from '../../lib/schema.ts';
import { nameText } from './text.ts';

/** What may stand beside the policy's own key. */
export const ATTACHMENT_SETTINGS = {
  mode: Type.Optional(
    Type.Union([Type.Literal('enforce'), Type.Literal('shadow'), Type.Literal('off')], {
      description: '`enforce` acts; `shadow` is evaluated and recorded but never acted on; `off` is not run.',
      default: 'enforce',
    }),
  ),
  when: Type.Optional(
    Type.String({
      description: [
        'CEL condition: the policy applies only where it is true, e.g. `request.method == "POST"`.',
        'Names: `request` (`method`, `path`, `host`, `scheme`, `client`, `id`, `query`, `headers`),',
        '`route` (`name`, `params`), `consumer`, `groups`, `scopes`, `claims`, `now` (milliseconds).',
        'JSON numbers are doubles: `claims.n == 1` works, `claims.n + 1` does not, `claims.n + 1.0` does.',
      ].join(' '),
      minLength: 1,
      maxLength: 2000,
    }),
  ),
  onError: Type.Optional(
    Type.Union([Type.Literal('reject'), Type.Literal('continue')], {
      description: 'When the policy cannot decide: refuse the request, or let it on. Counted either way.',
      default: 'reject',
    }),
  ),
  name: Type.Optional(
    nameText('Makes the attachment’s id stable when several of one kind stand at a place.'),
  ),
  owner: Type.Optional(
    Type.String({ description: 'Who answers for this rule, e.g. an address.', maxLength: 200 }),
  ),
  reviewBy: Type.Optional(
    Type.String({
      description: 'Day on which the rule is to be looked at again: YYYY-MM-DD.',
      pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$',
      patternErrorMessage: 'must be a day, YYYY-MM-DD',
    }),
  ),
};

/** What may stand beside a policy that is a member of another: how it acts is for the whole to say. */
export const MEMBER_SETTINGS = { when: ATTACHMENT_SETTINGS.when, name: ATTACHMENT_SETTINGS.name };

/** An attachment without a word about which policies exist; its policy key is checked against the catalog. */
export const LooseAttachment = Type.Object(ATTACHMENT_SETTINGS);

export type AttachmentSettings = Static<typeof LooseAttachment>;

/** The `policies` of a place. */
export const policiesOf = <A extends TSchema>(attachment: A, description: string) =>
  Type.Optional(Type.Array(attachment, { description, maxItems: 200 }));
