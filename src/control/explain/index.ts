export { ExplainDesk, type ExplainDeskDeps, type Unexplained } from './explain-desk.ts';
