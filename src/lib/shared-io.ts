import { ReadBuffer } from './read-buffer.ts';
import { WriteBatch } from './write-batch.ts';

/** What all sockets of a worker share: the buffer plain ones read into, and the writes that wait for the turn's end. */
export interface SharedIo {
  readonly reads: ReadBuffer;
  readonly writes: WriteBatch;
}

export function createSharedIo(): SharedIo {
  return { reads: new ReadBuffer(), writes: new WriteBatch() };
}
