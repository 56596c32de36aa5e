import { documentWith } from '../../../test/fixtures/config.ts';
import { checkLint, listener } from '../../../test/fixtures/lint.ts';

checkLint('expired-entry', [
  {
    name: 'entries and credentials',
    document: documentWith({
      lists: { bad: { entries: [{ network: '192.0.2.0/24', expires: '2026-11-30' }, '192.0.3.0/24'] } },
      listeners: [
        listener({
          policies: [
            {
              'ip-list': {
                deny: [
                  { network: '10.0.0.1', expires: '2026-12-01' },
                  { network: '10.0.0.2', expires: '2026-11-30T23:00:00Z' },
                ],
              },
            },
          ],
        }),
      ],
      consumers: [
        {
          name: 'c',
          credentials: [
            { 'api-key': { secret: 'env:KEY', expires: '2026-11-30' } },
            { 'api-key': { hash: `sha256:${'0'.repeat(64)}`, expires: '2026-12-01' } },
          ],
        },
      ],
    }),
    found: [
      'warning lists.bad.entries[0].expires',
      'warning listeners[0].policies[0].ip-list.deny[1].expires',
      'warning consumers[0].credentials[0].api-key.expires',
    ],
  },
]);
