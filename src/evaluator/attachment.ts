import type { Attachment, DecisionEntry, Phase, Pipeline } from '../contract/index.ts';

const PHASES: readonly Phase[] = ['request', 'requestBody', 'response', 'responseChunk'];

/** Completes an attachment with the entries that are the same for every request it lets on. */
export function makeAttachment(parts: Omit<Attachment, 'continued' | 'skipped'>): Attachment {
  const entryFor = (phase: Phase, outcome: 'continue' | 'skipped'): DecisionEntry =>
    Object.freeze({ attachment: parts.id, policy: parts.policy, mode: parts.mode, phase, outcome });
  return Object.freeze({
    ...parts,
    continued: Object.freeze({
      request: entryFor(PHASES[0], 'continue'),
      requestBody: entryFor(PHASES[1], 'continue'),
      response: entryFor(PHASES[2], 'continue'),
      responseChunk: entryFor(PHASES[3], 'continue'),
    }),
    skipped: entryFor('request', 'skipped'),
  });
}

/** One for all routes without policies, and one list for all phases without attachments. */
const NONE: readonly Attachment[] = Object.freeze([]);
const EMPTY: Pipeline = Object.freeze({
  request: NONE,
  requestBody: NONE,
  response: NONE,
  responseChunk: NONE,
  buffersBody: false,
});

/** Splits attachments by the phases their policies have, so that no phase walks over another's. */
export function makePipeline(attachments: readonly Attachment[]): Pipeline {
  if (attachments.length === 0) return EMPTY;
  return Object.freeze({
    request: having(attachments, 'request'),
    requestBody: having(attachments, 'requestBody'),
    response: having(attachments, 'response'),
    responseChunk: having(attachments, 'responseChunk'),
    buffersBody: attachments.some((a) => a.body === 'buffer'),
  });
}

function having(attachments: readonly Attachment[], phase: Phase): readonly Attachment[] {
  const found = attachments.filter((a) => a.instance[phase] !== undefined);
  return found.length === 0 ? NONE : found;
}
