import type { AttachmentCoverage, CoverageReport, CoverageShare } from '../lifecycle/index.ts';
import { columns } from './columns.ts';
import { counted } from './options.ts';
import { type Colour, paint, type Terminal } from './terminal.ts';

/** So many of those that are not covered are told; JSON has all. */
const MAX_TOLD = 30;

/** What tests have seen at work, and what they have not, as a person reads it. */
export function renderCoverage(report: CoverageReport, terminal: Terminal): string {
  const { policies, routes, attachments, routeList } = report;
  const missing = [
    ...attachments.filter(({ covered }) => !covered).map((a) => [`  ${a.id}`, lackOf(a)]),
    ...routeList
      .filter(({ covered }) => !covered)
      .map(({ name }) => [`  route:${name}`, 'no test comes to it']),
  ];
  const more = missing.length - MAX_TOLD;
  const rest = more > 0 ? `  and ${counted(more, 'other', 'others')}, which --json tells\n` : '';
  const head = `coverage: ${shareText(policies, 'policy', 'policies', terminal)}, ${shareText(routes, 'route', 'routes', terminal)}\n`;
  return `${head}${columns(missing.slice(0, MAX_TOLD))}${rest}`;
}

function shareText(share: CoverageShare, one: string, many: string, terminal: Terminal): string {
  const { covered, total, percent } = share;
  const text = `${covered} of ${counted(total, one, many)} (${percent}%)`;
  return paint(terminal, colourOf(percent), text);
}

const colourOf = (percent: number): Colour => (percent === 100 ? 'green' : 'yellow');

/** Which side of a rule nobody has looked at. */
function lackOf({ continued, refused, canRefuse }: AttachmentCoverage): string {
  if (!continued && !refused) return 'no test sees it decide';
  return continued && canRefuse ? 'no test sees it refuse' : 'no test sees it let on';
}
