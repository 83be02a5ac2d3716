// A byte order mark in the middle of a text is a character like any other.
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text that bytes hold from `start` to before `end`, as UTF-8. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return UTF8.decode(bytes.subarray(start, end));
}
