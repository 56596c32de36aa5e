/** A long differential run: `node test/fuzz/run.ts [--seconds N] [--seed N]`. Exits 1 on a disagreement. */
import { parseArgs } from 'node:util';
import { fuzz } from './compare.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_007) },
  },
});
const until = performance.now() + Number(values.seconds) * 1000;
console.log(`seed ${values.seed}, ${values.seconds} s`);
const report = await fuzz(Number(values.seed), () => performance.now() < until);
console.log(`${report.cases} streams, ${report.accepted} messages accepted by both`);
for (const d of report.disagreements)
  console.log(`${d.kind} seed ${d.seed}: ${d.reason}\n  ${JSON.stringify(d.input)}`);
process.exit(report.disagreements.length === 0 ? 0 : 1);
