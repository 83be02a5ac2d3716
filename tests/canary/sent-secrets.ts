import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { looksSecret } from "../../src/variables.ts";
import { filesIn } from "./files.ts";
import { ByteSearch, encodingsOf } from "./search.ts";

/** Shorter ones occur by chance, and longer ones are there for their length alone. */
const CHARACTERS = { least: 12, most: 4_096 };
/** As many as are looked for: some tests write thousands, all in the same way. */
const MOST = 300;
/** Texts that are looked into for secrets, larger ones are states of a platform. */
const PARSED_CHARACTERS = 1_100_000;

/**
 * The secrets that a test sends on its way to something else. When its engine is disposed of, they are looked for in the engine's files
 * and output, so that every end-to-end test is one more search for a leak.
 */
export class SentSecrets {
  readonly #secrets = new Set<string>();
  /** What was sent as no secret: a test may well use one value for both. */
  readonly #plain: string[] = [];

  /** @param body as it goes out, where it is text */
  note(path: string, body: string | Buffer | undefined, headers: Readonly<Record<string, string>>): void {
    this.#plain.push(path, ...Object.values(headers));
    if (body === undefined) return;
    const sent = typeof body === "string" && body.length < PARSED_CHARACTERS ? parsed(body) : null;
    // What cannot be read is neither: it may hold secrets, and it is kept nowhere.
    if (isMembers(sent)) this.#sort(sent);
    else if (typeof body === "string" && body.length >= PARSED_CHARACTERS) this.#plain.push(body);
  }

  /** Each secret that is in a file of `folder` or in `output`, and where; keys' own files aside. */
  find(folder: string, output: string): readonly string[] {
    if (this.#secrets.size === 0) return [];
    const needles = [...this.#secrets].flatMap((secret) =>
      [...encodingsOf(secret)].map(([encoding, bytes]) => ({ bytes, label: JSON.stringify([secret, encoding]) })),
    );
    const search = new ByteSearch(needles);
    const files = existsSync(folder) ? filesIn(folder) : [];
    const places: readonly (readonly [string, Buffer])[] = [
      ["its output", Buffer.from(output)],
      ...files.map((name) => [name, readFileSync(join(folder, name))] as const),
    ];
    return places.flatMap(([place, content]) =>
      search.find(content).flatMap(({ label }) => {
        const [secret = "", encoding = ""] = JSON.parse(label) as readonly string[];
        return this.#plain.some((text) => text.includes(secret)) ? [] : [`${JSON.stringify(secret)} is in ${place}, ${encoding}`];
      }),
    );
  }

  #sort({ secrets, env_variables: variables, ...rest }: Readonly<Record<string, unknown>>): void {
    this.#keepPlain(rest);
    if (isMembers(secrets)) for (const value of Object.values(secrets)) this.#keep(value);
    for (const [name, given] of Object.entries(isMembers(variables) ? variables : {})) {
      const { value, secret } = isMembers(given) ? given : { value: given, secret: typeof given === "string" && looksSecret(name, given) };
      if (secret === true) this.#keep(value);
      else this.#keepPlain(given);
    }
  }

  /** All texts in a value, names of members too. Without recursion: some tests nest as deep as no stack goes. */
  #keepPlain(value: unknown): void {
    const open = [value];
    while (open.length > 0) {
      const next = open.pop();
      if (typeof next === "string") this.#plain.push(next);
      if (typeof next !== "object" || next === null) continue;
      for (const [name, member] of Object.entries(next)) open.push(name, member);
    }
  }

  #keep(value: unknown): void {
    if (typeof value !== "string" || value.length < CHARACTERS.least || value.length > CHARACTERS.most) return;
    if (this.#secrets.size < MOST) this.#secrets.add(value);
  }
}

function isMembers(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
