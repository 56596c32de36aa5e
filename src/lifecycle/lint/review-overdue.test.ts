import { documentWith } from '../../../test/fixtures/config.ts';
import { checkLint } from '../../../test/fixtures/lint.ts';

checkLint('review-overdue', [
  {
    name: 'days that are over, are today, and are none',
    document: documentWith(
      {},
      {
        policies: ['2026-11-30', '2026-12-01', '2027-02-31'].map((reviewBy, i) => ({
          'api-key': {},
          name: `n${i}`,
          reviewBy,
        })),
      },
    ),
    found: ['warning routes[0].policies[0].reviewBy', 'error routes[0].policies[2].reviewBy'],
  },
]);
