/** Looks for byte strings, any number of them, in one pass: as fast for a thousand as for one. */

export interface Needle {
  readonly bytes: Buffer;
  /** What it is and how it is written, for whoever reads that it was found. */
  readonly label: string;
}

export interface Hit {
  readonly label: string;
  /** The first byte of the first place. */
  readonly at: number;
}

const SHORTEST = 4;

export class ByteSearch {
  /** By their first three bytes. */
  readonly #needles = new Map<number, Needle[]>();
  /** One bit for each three bytes that some needle begins with: nearly every place is passed over by looking here. */
  readonly #starts = new Uint8Array(2 ** 21);

  constructor(needles: Iterable<Needle> = []) {
    for (const needle of needles) this.add(needle);
  }

  add(needle: Needle): void {
    if (needle.bytes.length < SHORTEST) throw new Error(`${needle.label} is too short to be looked for`);
    const start = needle.bytes.readUIntLE(0, 3);
    this.#starts[start >> 3] = (this.#starts[start >> 3] ?? 0) | (1 << (start & 7));
    this.#needles.set(start, [...(this.#needles.get(start) ?? []), needle]);
  }

  /** What is in `content`, each needle once. */
  find(content: Buffer): readonly Hit[] {
    const hits = new Map<string, Hit>();
    const starts = this.#starts;
    let start = ((content[0] ?? 0) << 8) | ((content[1] ?? 0) << 16);
    for (let at = 0; at + 2 < content.length; at++) {
      start = (start >> 8) | ((content[at + 2] ?? 0) << 16);
      if (((starts[start >> 3] ?? 0) & (1 << (start & 7))) === 0) continue;
      for (const { bytes, label } of this.#needles.get(start) ?? []) {
        if (!hits.has(label) && content.subarray(at, at + bytes.length).equals(bytes)) hits.set(label, { label, at });
      }
    }
    return [...hits.values()];
  }
}

/** Every way in which a text is commonly written down, by name. Ways that come to the same are there once. */
export function encodingsOf(text: string): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.from(text);
  const json = JSON.stringify(text).slice(1, -1);
  const hex = bytes.toString("hex");
  const written: readonly (readonly [string, string | Buffer])[] = [
    ["as it is", bytes],
    ["in capitals", text.toUpperCase()],
    ["in JSON", json],
    ["in JSON in JSON", JSON.stringify(json).slice(1, -1)],
    ["in JSON with escaped slashes", json.replaceAll("/", "\\/")],
    ["in JSON with escapes alone", [...utf16Units(text)].map((unit) => `\\u${unit}`).join("")],
    ["percent-encoded", encodeURIComponent(text)],
    ["percent-encoded as a form", new URLSearchParams([["", text]]).toString().slice(1)],
    ["percent-encoded in full", hex.toUpperCase().replace(/../g, "%$&")],
    ["percent-encoded in full, small", hex.replace(/../g, "%$&")],
    ["in HTML", text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)],
    ["in hexadecimal", hex],
    ["in capital hexadecimal", hex.toUpperCase()],
    ["in UTF-16", Buffer.from(text, "utf16le")],
    ["in big-endian UTF-16", Buffer.from(text, "utf16le").swap16()],
    ...[0, 1, 2].flatMap((shift): [string, string][] => [
      [`in base64 after ${shift} bytes`, inBase64(bytes, shift, "base64")],
      [`in base64url after ${shift} bytes`, inBase64(bytes, shift, "base64url")],
    ]),
  ];
  const ways = written.map(([name, content]) => [name, typeof content === "string" ? Buffer.from(content) : content] as const);
  // The first name of several that come to the same.
  const byContent = new Map([...ways].reverse().map((way) => [way[1].toString("latin1"), way]));
  return new Map([...byContent.values()].reverse().filter(([, content]) => content.length >= SHORTEST));
}

/** Base64 depends on where a text begins in its groups of three bytes: here the part that does not depend on what is around it. */
function inBase64(bytes: Buffer, shift: number, encoding: "base64" | "base64url"): string {
  const whole = Buffer.concat([Buffer.alloc(shift), bytes])
    .toString(encoding)
    .replace(/=+$/, "");
  const isComplete = (shift + bytes.length) % 3 === 0;
  return whole.slice(shift === 0 ? 0 : shift + 1, isComplete ? undefined : -1);
}

function utf16Units(text: string): readonly string[] {
  return Array.from({ length: text.length }, (_, index) => text.charCodeAt(index).toString(16).padStart(4, "0"));
}
