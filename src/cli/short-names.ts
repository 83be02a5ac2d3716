/** Short names that people type for the usual environments. */
const SHORT_NAMES: Readonly<Record<string, string>> = { dev: "development", stage: "staging", prod: "production" };

/** What a short name stands for. */
export function longName(name: string): string | null {
  return (Object.hasOwn(SHORT_NAMES, name) ? SHORT_NAMES[name] : undefined) ?? null;
}

/** `dev`, `stage` and `prod` stand for the usual names where no environment has that very one. */
export class ShortNames {
  readonly #exists: (name: string) => Promise<boolean>;
  readonly #resolved = new Map<string, string>();

  constructor(exists: (name: string) => Promise<boolean>) {
    this.#exists = exists;
  }

  async resolve(name: string): Promise<string> {
    const long = longName(name);
    if (long === null) return name;
    const known = this.#resolved.get(name) ?? ((await this.#exists(name)) ? name : long);
    this.#resolved.set(name, known);
    return known;
  }

  /** A side of a comparison: `staging`, `staging@v2.3.1`. */
  async resolveSide(side: string): Promise<string> {
    const [name = "", ...rest] = side.split("@");
    return [await this.resolve(name), ...rest].join("@");
  }
}
