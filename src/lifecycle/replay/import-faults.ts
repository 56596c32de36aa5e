/** So many are told of by name. */
const MOST_TOLD = 5;

/** What an import could not read, so that nothing is left out in silence. */
export class ImportFaults {
  /** Entries that were looked at. */
  entries = 0;
  unreadable = 0;
  /** The first of them: where, and why. */
  readonly told: string[] = [];

  note(where: string, why: string): void {
    this.unreadable++;
    if (this.told.length < MOST_TOLD) this.told.push(`${where}: ${why}`);
  }
}
