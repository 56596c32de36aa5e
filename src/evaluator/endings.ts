import type { Attachment, Awaitable, RequestEnd } from '../contract/index.ts';

type Work = (end: RequestEnd) => Awaitable<void>;

/** What policies want done when a request has ended: each once, in the order in which it was asked for. */
export class Endings {
  #waiting: Work[] | undefined = undefined;
  #askers: (Attachment | undefined)[] = [];
  /** Whose work is being done. */
  doing: Attachment | undefined = undefined;
  #end: RequestEnd | undefined = undefined;
  #onDefect: (cause: unknown) => void = () => {};

  /** `asker`: who wants it done; undefined for none that is known. */
  add(work: Work, asker?: Attachment): void {
    if (this.#end !== undefined) return void this.#do(work, this.#end, asker);
    this.#waiting ??= [];
    this.#waiting.push(work);
    this.#askers.push(asker);
  }

  /** Does what waits, and from now on whatever comes. Resolves when it is done; `onDefect` is told of what failed. */
  end(end: RequestEnd, onDefect: (cause: unknown) => void): Awaitable<void> {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#onDefect = onDefect;
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    const pending = waiting
      .map((work, i) => this.#do(work, end, this.#askers[i]))
      .filter((done) => done instanceof Promise);
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => {});
  }

  #do(work: Work, end: RequestEnd, asker: Attachment | undefined): Awaitable<void> {
    this.doing = asker;
    try {
      const done = work(end);
      return done instanceof Promise ? done.catch(this.#onDefect) : undefined;
    } catch (cause) {
      this.#onDefect(cause);
    }
  }
}
