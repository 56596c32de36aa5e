export { CR, LF, SP } from './characters.ts';
export { ChunkedDecoder, chunkLine, lastChunk } from './chunked.ts';
export { type ConnectionOptions, NO_CONNECTION_OPTIONS } from './connection-options.ts';
export { FieldKind, fieldKind } from './field-kinds.ts';
export { faultInPartialHead, findHeadEnd, type SyntaxFault } from './fields.ts';
export {
  HEAD_TOO_LARGE,
  type HeadLimits,
  METHODS,
  parseRequestHead,
  RequestHead,
  refusal,
  TARGET_TOO_LONG,
} from './request-head.ts';
export { type BodyFraming, parseResponseHead, ResponseHead } from './response-head.ts';
export { fieldLines, isFieldName, isFieldValue, reasonPhrase } from './write.ts';
