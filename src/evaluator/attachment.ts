import type { Attachment, DecisionEntry, Phase, Pipeline } from '../contract/index.ts';

const PHASES: readonly Phase[] = ['request', 'requestBody', 'response', 'responseChunk'];

/** Completes an attachment with the entries that are the same for every request it lets on. */
export function makeAttachment(parts: Omit<Attachment, 'continued' | 'skipped'>): Attachment {
  const entryFor = (phase: Phase, outcome: 'continue' | 'skipped'): DecisionEntry =>
    writtenOnce({ attachment: parts.id, policy: parts.policy, mode: parts.mode, phase, outcome });
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

function writtenOnce(entry: DecisionEntry): DecisionEntry {
  return Object.freeze({ ...entry, json: JSON.stringify(entry) });
}

/** Splits attachments by the phases their policies have, so that no phase walks over another's. */
export function makePipeline(attachments: readonly Attachment[]): Pipeline {
  return Object.freeze({
    request: attachments.filter((a) => a.instance.request !== undefined),
    requestBody: attachments.filter((a) => a.instance.requestBody !== undefined),
    response: attachments.filter((a) => a.instance.response !== undefined),
    responseChunk: attachments.filter((a) => a.instance.responseChunk !== undefined),
    buffersBody: attachments.some((a) => a.body === 'buffer'),
  });
}
