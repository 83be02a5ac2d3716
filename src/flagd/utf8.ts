/** The member of the context under which a rule finds the bytes of a text: `{"val": ["$utf8", text]}`. */
export const UTF8 = "$utf8";

const encoder = new TextEncoder();
const NOT_ASCII = /[^\0-\x7f]/;

/** Answers, for the name of a member, that name's UTF-8 with one character for each byte. */
export const utf8Bytes: object = new Proxy(Object.freeze({}), {
  get: (_, text) => (typeof text === "string" ? bytesOf(text) : undefined),
});

/** A text's UTF-8 with one character for each byte. */
export function bytesOf(text: string): string {
  if (!NOT_ASCII.test(text)) return text;
  let bytes = "";
  for (const byte of encoder.encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}
