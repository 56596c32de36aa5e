import { InternalError } from '../errors.ts';
import { type AttachmentSpec, readAttachment } from './attachment-spec.ts';
import type { PolicyCatalog } from './catalog.ts';
import { AttachmentIds } from './compile/attachment-ids.ts';
import { providedBy } from './compile/members.ts';
import type { DocumentPath } from './document-path.ts';
import { IssueList } from './issues.ts';
import { memberOf, textOf } from './json-shape.ts';
import type { GatewayDocument } from './schema/document.ts';

/** An attachment as the document says it, with the id that a snapshot gives it. */
export interface DocumentAttachment extends AttachmentSpec {
  readonly id: string;
  /** Whether it proves who calls. */
  readonly authenticates: boolean;
  readonly owner: string | undefined;
  /** YYYY-MM-DD; not checked to be a day of the calendar. */
  readonly reviewBy: string | undefined;
}

/** A listener or route with its attachments, those that are off included, in the order written. */
export interface DocumentPlace {
  readonly kind: 'listener' | 'route';
  readonly name: string;
  readonly path: DocumentPath;
  readonly attachments: readonly DocumentAttachment[];
}

export interface DocumentPlaces {
  readonly listeners: readonly DocumentPlace[];
  readonly routes: readonly DocumentPlace[];
}

/** Every place of a document that compiles. Throws InternalError for one that does not. */
export function placesOf(
  { listeners, routes = [] }: GatewayDocument,
  catalog: PolicyCatalog,
): DocumentPlaces {
  return {
    listeners: listeners.map(({ name, policies }, i) =>
      placeOf({ kind: 'listener', name, path: ['listeners', i] }, policies ?? [], catalog),
    ),
    routes: routes.map(({ name, policies }, i) =>
      placeOf({ kind: 'route', name, path: ['routes', i] }, policies ?? [], catalog),
    ),
  };
}

function placeOf(
  place: Omit<DocumentPlace, 'attachments'>,
  items: readonly unknown[],
  catalog: PolicyCatalog,
): DocumentPlace {
  const issues = new IssueList();
  const ids = new AttachmentIds(`${place.kind}:${place.name}`, issues);
  const attachments = items.map((item, i) => {
    const spec = readAttachment(item, [...place.path, 'policies', i], catalog, issues);
    if (spec === undefined) throw new InternalError('a document that does not compile has no places');
    return {
      ...spec,
      id: ids.next(spec),
      authenticates: providedBy(spec).includes('identity'),
      owner: textOf(memberOf(item, 'owner')),
      reviewBy: textOf(memberOf(item, 'reviewBy')),
    };
  });
  return { ...place, attachments };
}
