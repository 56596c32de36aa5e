import type { Awaitable, RequestEnd } from '../contract/index.ts';

type Work = (end: RequestEnd) => Awaitable<void>;

/** What policies want done when a request has ended: each once, in the order in which it was asked for. */
export class Endings {
  #waiting: Work[] | undefined = undefined;
  #end: RequestEnd | undefined = undefined;
  #onDefect: (cause: unknown) => void = () => {};

  add(work: Work): void {
    if (this.#end !== undefined) return void this.#do(work, this.#end);
    this.#waiting ??= [];
    this.#waiting.push(work);
  }

  /** Does what waits, and from now on whatever comes. Resolves when it is done; `onDefect` is told of what failed. */
  end(end: RequestEnd, onDefect: (cause: unknown) => void): Awaitable<void> {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#onDefect = onDefect;
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    const pending = waiting.map((work) => this.#do(work, end)).filter((done) => done instanceof Promise);
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => {});
  }

  #do(work: Work, end: RequestEnd): Awaitable<void> {
    try {
      const done = work(end);
      return done instanceof Promise ? done.catch(this.#onDefect) : undefined;
    } catch (cause) {
      this.#onDefect(cause);
    }
  }
}
