import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "../../src/storage/sqlite-driver.cjs";
import { filesIn } from "./files.ts";
import { ByteSearch, encodingsOf } from "./search.ts";

/** One canary, found where it must not be. */
export interface Sighting {
  readonly canary: string;
  readonly place: string;
  readonly encoding: string;
}

/** Characters of which half a canary is still unmistakable: 12 of 36 kinds are 62 bits. */
const HALF = 12;

/**
 * Secret values that occur nowhere else, so that finding one means that it leaked. Each is looked for whole and by halves, so
 * that one that is cut off or lies across a border is found too, in every way in which it may be written.
 *
 * @example
 * const canaries = new Canaries();
 * const password = canaries.mint("the password", (core) => `pa"ss ${core}`);
 * canaries.find("the log", log); // [{ canary: "the password", place: "the log", encoding: "in JSON" }]
 */
export class Canaries {
  readonly #search = new ByteSearch();
  readonly #values = new Map<string, string>();

  /** A new secret. `around` puts it where it needs to be: in a URL, among characters that have to be escaped. */
  mint(name: string, around: (core: string) => string = (core) => core): string {
    const core = letters(2 * HALF);
    const value = around(core);
    this.remember(name, value, core);
    return value;
  }

  /** A secret that somebody else made, such as a token; `core` is the part of it that nobody may see. */
  remember(name: string, value: string, core: string = value): void {
    if (this.#values.has(name)) throw new Error(`there is a canary "${name}" already`);
    this.#values.set(name, value);
    for (const piece of new Set([value, core, core.slice(0, HALF), core.slice(-HALF)])) {
      if (piece === value && !piece.includes(core)) throw new Error(`"${name}" does not hold its own core`);
      for (const [encoding, bytes] of encodingsOf(piece)) this.#search.add({ bytes, label: JSON.stringify([name, encoding]) });
    }
  }

  /** Bytes that are no text, such as a key. */
  rememberBytes(name: string, bytes: Buffer): void {
    this.#values.set(name, bytes.toString("base64"));
    this.#search.add({ bytes, label: JSON.stringify([name, "as bytes"]) });
    for (const text of [bytes.toString("hex"), bytes.toString("base64"), bytes.toString("base64url")]) {
      for (const [encoding, written] of encodingsOf(text.replace(/=+$/, "")))
        this.#search.add({ bytes: written, label: JSON.stringify([name, encoding]) });
    }
  }

  value(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`there is no canary "${name}"`);
    return value;
  }

  get names(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** Those that are in `content`, each once, but for `shown`: those that are there for a reason. */
  find(place: string, content: Buffer | string, shown: readonly string[] = []): readonly Sighting[] {
    const found = new Map<string, Sighting>();
    for (const { label } of this.#search.find(Buffer.from(content))) {
      const [canary = "", encoding = ""] = JSON.parse(label) as readonly string[];
      if (!found.has(canary) && !shown.includes(canary)) found.set(canary, { canary, place, encoding });
    }
    return [...found.values()];
  }

  /** Those that are in any file of a folder. What holds keys is not looked at: it holds nothing else. */
  findInFiles(place: string, folder: string): readonly Sighting[] {
    return filesIn(folder).flatMap((name) => this.find(`${place}: ${name}`, readFileSync(join(folder, name))));
  }

  /** Those that are in any field of a closed database: a file keeps long values in pieces, and here they are whole. */
  findInRows(place: string, file: string): readonly Sighting[] {
    const db = new Database(file, { readonly: true });
    try {
      const tables = db.prepare<[], { readonly name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
      return tables.flatMap(({ name }) =>
        [...db.prepare<[], Record<string, unknown>>(`SELECT * FROM "${name}"`).iterate()].flatMap((row) =>
          Object.values(row).flatMap((field) => (isContent(field) ? this.find(`${place}: ${name} ${JSON.stringify(row.key)}`, field) : [])),
        ),
      );
    } finally {
      db.close();
    }
  }
}

function isContent(field: unknown): field is string | Buffer {
  return typeof field === "string" || Buffer.isBuffer(field);
}

/** Small letters and digits, which no encoding of text changes. */
function letters(count: number): string {
  return Array.from(randomBytes(count), (byte) => (byte % 36).toString(36)).join("");
}
