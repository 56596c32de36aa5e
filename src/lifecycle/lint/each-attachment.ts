import type { DocumentAttachment } from '../../config/index.ts';
import type { LintContext, LintPlace } from './context.ts';
import type { Found, LintRule } from './finding.ts';

/** The check of a rule that looks at one attachment after the other; at none that is off. */
export const ofEachAttachment = (
  look: (c: LintContext, place: LintPlace, attachment: DocumentAttachment) => Iterable<Found>,
): LintRule['check'] =>
  function* (c) {
    for (const place of c.places) {
      for (const attachment of place.attachments) {
        yield undefined;
        if (attachment.mode !== 'off') yield* look(c, place, attachment);
      }
    }
  };
