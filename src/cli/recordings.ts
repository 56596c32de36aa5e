import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../lib/duration.ts';
import { orNull, type Static, Type } from '../lib/schema.ts';
import {
  type AdminApi,
  type AdminOptions,
  type AdminResult,
  addAdminOptions,
  askAdmin,
  expectAnswer,
} from './admin-client.ts';
import { columns } from './columns.ts';
import { processTerminal, type Terminal } from './terminal.ts';

const Recording = Type.Object({
  files: Type.Number(),
  bytes: Type.Number(),
  from: orNull(Type.String()),
  to: orNull(Type.String()),
  requests: Type.Number(),
  records: Type.Number(),
  completeIntervals: Type.Number(),
  sampledIntervals: Type.Number(),
  torn: Type.Number(),
  tampered: Type.Number(),
  foreign: Type.Number(),
});
type Recording = Static<typeof Recording>;
const Cleared = Type.Object({
  deletedFiles: Type.Number(),
  deletedBytes: Type.Number(),
  bytes: Type.Number(),
});

interface ClearOptions extends AdminOptions {
  readonly before?: string;
  readonly reason: string;
}

/** `sallyport recordings` and the command below it. */
export function addRecordingCommands(program: Command, terminal: Terminal = processTerminal()): void {
  const recordings = program
    .command('recordings')
    .summary('what is recorded of the requests served: show, clear')
    .description('Looks after what a running gateway records of the requests it serves.');
  const show = recordings
    .command('show', { isDefault: true })
    .summary('show how much there is, and of which time (the default)')
    .description('Shows how much is recorded, of which time, and how many requests it stands for.');
  addAdminOptions(show).action(async (options: AdminOptions) => {
    process.exitCode = await askAdmin(options, terminal, showRecording);
  });
  const clear = recordings
    .command('clear')
    .summary('delete what was recorded')
    .description(
      'Deletes what was recorded, or all of it that was written before a time. Files are deleted whole: one that was ' +
        'written on since stays.',
    )
    .option('--before <TIME|DURATION>', 'like 2026-11-25T12:00:00Z, or 6h for so long ago', parseBefore)
    .option('--reason <TEXT>', 'why, for the audit', '');
  addAdminOptions(clear).action(async (options: ClearOptions) => {
    process.exitCode = await askAdmin(options, terminal, (api) => clearRecording(api, options));
  });
}

/** A time as RFC 3339 has it. */
function parseBefore(text: string): string {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return new Date(Date.now() - agoMs).toISOString();
  const ms = /^\d{4}-\d\d-\d\d([T ]|$)/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError(`"${text}" is neither a time nor a duration.`);
  return new Date(ms).toISOString();
}

async function showRecording(api: AdminApi): Promise<AdminResult> {
  const data = await api.get('/api/recordings');
  return { data, text: recordingText(expectAnswer(Recording, data)) };
}

function recordingText(recording: Recording): string {
  const { from, to, requests, records, bytes, files, completeIntervals, sampledIntervals } = recording;
  if (from === null || to === null) return `Nothing is recorded yet.\n${faultsText(recording)}`;
  const intervals = completeIntervals + sampledIntervals;
  const rows = [
    ['from', from],
    ['to', to],
    ['requests', `${requests}, of which ${records} are kept`],
    ['intervals', `${intervals}, of which ${completeIntervals} are complete`],
    ['size', `${sizeText(bytes)} in ${files} ${files === 1 ? 'file' : 'files'}`],
  ];
  return columns(rows) + faultsText(recording);
}

function faultsText({ torn, tampered, foreign }: Recording): string {
  const told = [
    torn > 0 && `${torn} pieces were not finished when their process ended.`,
    tampered > 0 && `${tampered} pieces were changed or are missing, and are not read.`,
    foreign > 0 && `${foreign} pieces need a master key that is not given (--master-key).`,
  ];
  return told.map((line) => (line === false ? '' : `${line}\n`)).join('');
}

async function clearRecording(api: AdminApi, { before, reason }: ClearOptions): Promise<AdminResult> {
  const data = await api.post('/api/recordings/clear', {
    reason,
    ...(before === undefined ? {} : { before }),
  });
  const { deletedFiles, deletedBytes, bytes } = expectAnswer(Cleared, data);
  const files = `${deletedFiles} ${deletedFiles === 1 ? 'file' : 'files'}`;
  const text = `${files} of ${sizeText(deletedBytes)} deleted, ${sizeText(bytes)} left\n`;
  return { data, text };
}

const sizeText = (bytes: number): string =>
  bytes < 1000
    ? `${bytes} B`
    : bytes < 1e6
      ? `${(bytes / 1e3).toFixed(1)} kB`
      : `${(bytes / 1e6).toFixed(1)} MB`;
