import type { Decision } from '../../contract/index.ts';
import { type CallerProof, PROVED } from '../../evaluator/index.ts';
import type { Trace } from './trace.ts';

/** Notes which attachments were not asked, since who calls was taken as proved to them. */
export function watchedProof(proof: CallerProof | undefined, trace: Trace): CallerProof | undefined {
  if (proof === undefined) return undefined;
  return {
    ask(a, context) {
      const heard = (decision: Decision | undefined): Decision | undefined => {
        if (decision === PROVED) trace.of(a.id).isProved = true;
        return decision;
      };
      const said = proof.ask(a, context);
      return said instanceof Promise ? said.then(heard) : heard(said);
    },
  };
}
