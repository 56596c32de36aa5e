import { type DocumentChange, loadDiff, parseDocument } from '../../../config/index.ts';
import { ConfigError } from '../../../errors.ts';
import { type Store, StoreError } from '../../../store/index.ts';

/** What has to be merged: how what is live differs from what somebody built on; undefined where that cannot be known. */
export async function changesSince(
  store: Store | undefined,
  expected: string,
  active: string | undefined,
): Promise<readonly DocumentChange[] | undefined> {
  if (store === undefined || active === undefined) return undefined;
  try {
    const [before, after] = await Promise.all([store.getRevision(expected), store.getRevision(active)]);
    if (before === undefined || after === undefined) return undefined;
    const side = ({ document, files }: typeof before) => ({
      document: parseDocument(document, 'stored revision').document,
      files,
    });
    const { diffDocuments } = await loadDiff();
    return diffDocuments(side(before), side(after));
  } catch (error) {
    // The refusal stands without it.
    if (error instanceof StoreError || error instanceof ConfigError) return undefined;
    throw error;
  }
}
