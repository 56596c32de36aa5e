import {
  CONTINUE,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  type ResponseHead,
} from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { type CompiledEdits, compileEdits } from './edits.ts';
import { headersSchema } from './schema.ts';

/** Sets, removes and renames headers on their way in and out. */
export const headers: PolicyDefinition<typeof headersSchema> = {
  name: 'headers',
  summary: 'Sets, removes and renames headers of requests and responses.',
  schema: headersSchema,
  body: 'none',
  refuses: false,
  compile(config): Policy {
    const issues: ConfigIssue[] = [];
    const request = compileEdits(config.request ?? {}, 'request', issues);
    const response = compileEdits(config.response ?? {}, 'response', issues);
    if (issues.length > 0) throw new ConfigError(issues);
    const edit = (c: PolicyContext): Decision => {
      editRequest(c, request);
      editEveryResponse(c, response);
      return CONTINUE;
    };
    if (response.rename.length === 0) return { request: edit };
    return { request: edit, response: (c, head) => renameInResponse(c, head, response) };
  },
};

function editRequest(c: PolicyContext, { remove, rename, set }: CompiledEdits): void {
  const { edits } = c;
  for (const name of remove) edits.removeRequestHeader(name);
  for (const { from, to } of rename) {
    const values = c.request.headers.getAll(from);
    edits.removeRequestHeader(from);
    // Also when there is nothing to rename: the client's own copy of the new name is not the one meant.
    edits.removeRequestHeader(to);
    // One field of several values means the same (RFC 9110 §5.3), and the upstream sees no duplicate.
    if (values.length > 0) edits.setRequestHeader(to, values.join(', '));
  }
  for (const { name, value } of set) edits.setRequestHeader(name, value(c));
}

/** What needs nothing of the upstream's head is asked for early, so that refusals are edited too. */
function editEveryResponse(c: PolicyContext, { remove, set }: CompiledEdits): void {
  for (const name of remove) c.edits.removeResponseHeader(name);
  for (const { name, value } of set) c.edits.setResponseHeader(name, value(c));
}

function renameInResponse(c: PolicyContext, head: ResponseHead, { rename }: CompiledEdits): Decision {
  for (const { from, to } of rename) {
    const values = head.headers.getAll(from);
    if (values.length === 0) continue;
    c.edits.removeResponseHeader(from);
    c.edits.removeResponseHeader(to);
    for (const value of values) c.edits.appendResponseHeader(to, value);
  }
  return CONTINUE;
}
