import type { BodyView } from '../contract/index.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A whole body at hand; text and JSON are made once, when first asked for. */
export class BufferedBody implements BodyView {
  readonly bytes: Uint8Array;
  #text: string | undefined = undefined;
  #json: { readonly value: unknown } | undefined = undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  text(): string {
    this.#text ??= UTF8.decode(this.bytes);
    return this.#text;
  }

  json(): unknown {
    this.#json ??= { value: parseJson(this.text()) };
    return this.#json.value;
  }
}

/** V8 quotes the text in its message, and a message may reach the record, where no body belongs. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SyntaxError('the body is not JSON');
  }
}
