import { durationOption, fileOption } from '../lib/option-forms.ts';
import { Type } from '../lib/schema.ts';

/** Options of every policy that asks an authorization server as its client. */
export const oauthClientOptions = {
  clientAuth: Type.Optional(
    Type.Union([Type.Literal('client-secret-basic'), Type.Literal('client-secret-post')], {
      description: 'How the secret is sent (RFC 6749 §2.3.1).',
      default: 'client-secret-basic',
    }),
  ),
  timeout: Type.Optional(durationOption('How long an answer is waited for, all of it.', '5s')),
  ca: Type.Optional(
    fileOption('PEM of the CAs that may sign the server’s certificate, instead of the system’s.'),
  ),
};
