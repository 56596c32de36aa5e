import { orNull, Type } from '../../lib/schema.ts';
import { NODE_STATES } from '../nodes/index.ts';
import { RevisionId, strict, Time } from './schemas.ts';

const Node = strict({
  id: Type.String({ description: 'Of its data folder: the same after a restart.' }),
  name: Type.String(),
  version: Type.String(),
  startedAt: Time,
  state: Type.Unsafe<string>({
    enum: [...NODE_STATES],
    description:
      '`drift`: it serves something else than what is active. `failing`: no worker of it serves. `cut-off`: the node that ' +
      'was asked does not reach the store. `lost`: it was not heard of for ten seconds. `unknown`: nobody can say.',
  }),
  silentSeconds: Type.Number({ description: 'How long it was not heard of.' }),
  revision: orNull(RevisionId),
  candidate: orNull(
    strict({
      rollout: Type.String(),
      revision: RevisionId,
      step: Type.String({ description: 'For people.' }),
    }),
  ),
  workers: orNull(strict({ serving: Type.Integer(), all: Type.Integer() })),
  store: orNull(Type.String({ description: 'How it is with the store, as the node last said.' })),
  error: orNull(strict({ at: Time, message: Type.String() })),
  listeners: Type.Array(strict({ name: Type.String(), host: Type.String(), port: Type.Integer() })),
});

export const Nodes = strict({
  self: Type.String({ description: 'Id of the node that answers.' }),
  active: orNull(RevisionId),
  complete: Type.Boolean({
    description: 'False: the store cannot be read, and of other nodes only what they last said is known.',
  }),
  drift: Type.Boolean({ description: 'Whether any node is not `ok`, as far as that is known.' }),
  nodes: Type.Array(Node),
});
