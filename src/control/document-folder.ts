import { dirname } from 'node:path';

/** Folder that the files a document names are relative to: its own, or the folder that is the document. */
export const documentFolder = (path: string): string => (/\.(ya?ml|json)$/.test(path) ? dirname(path) : path);
