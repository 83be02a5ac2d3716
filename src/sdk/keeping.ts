import { BOUNDS } from "./bounds.ts";
import { type Copy, copyOf } from "./copy.ts";
import { EnvmError, invalidCall } from "./errors.ts";
import { seal, unseal } from "./sealing.ts";
import { type TokenSource, tokenOf } from "./transport.ts";

/** Where sealed copies are kept: a file (`environment-manager/sdk/node`), a browser's storage, anything that holds a text. */
export interface CopyStore {
  /** What was written last, or `null`. */
  read(): Promise<string | null>;
  /** In one step: whoever reads has the text before or this one. */
  write(text: string): Promise<void>;
}

export interface Keeping {
  readonly store: CopyStore;
  /** What copies are sealed with: the token where not given. One of its own outlives the token. */
  readonly key?: string | undefined;
}

export interface Kept {
  readonly copy: Copy;
  readonly at: Date;
}

/** The last known good copy, kept sealed: nothing is ever written in the clear. */
export class KeptCopy {
  readonly #store: CopyStore;
  readonly #key: TokenSource;
  readonly #about: string;
  #writing: Promise<void> = Promise.resolve();
  #next: Copy | null = null;

  constructor(store: CopyStore, key: TokenSource, about: readonly string[]) {
    this.#store = store;
    this.#key = key;
    this.#about = about.join("\n");
  }

  /** The copy that was kept, with when it was read from the engine, or `null` where none was. @throws copy_unreadable, copy_store_failed, token_unavailable */
  async read(): Promise<Kept | null> {
    const sealed = await asked("read", () => this.#store.read());
    if (sealed === null) return null;
    return checked(JSON.parse(await unseal(sealed, await this.#secret(), this.#about)));
  }

  /** Keeps a copy. Where several come while one is being written, the newest is written next and the others never. @throws copy_store_failed, token_unavailable */
  async keep(copy: Copy): Promise<void> {
    this.#next = copy;
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#writeNext());
    await this.#writing;
  }

  async #writeNext(): Promise<void> {
    const copy = this.#next;
    if (copy === null) return;
    this.#next = null;
    const text = JSON.stringify({ copy, at: new Date().toISOString() });
    const sealed = await seal(text, await this.#secret(), this.#about);
    await asked("written", () => this.#store.write(sealed));
  }

  async #secret(): Promise<string> {
    if (crypto.subtle === undefined) {
      const reason = "Browsers seal no copy in a page that did not come over HTTPS.";
      throw new EnvmError("copy_store_failed", { reason, fix: "Serve it over HTTPS." });
    }
    const secret = await tokenOf(this.#key);
    if (secret !== "") return secret;
    throw invalidCall("There is nothing to seal the kept copy with.", "Give a token, or `persist.key`.");
  }
}

/** It was sealed with our secret, so that we wrote it: what is asked is whether this version of the SDK can read it. */
function checked(value: unknown): Kept {
  const { copy, at } = (value ?? {}) as Partial<{ copy: Partial<Copy>; at: string }>;
  const { version, revision, vars, secretNames, secrets, flags, evaluators, flagMetadata, etag } = copy ?? {};
  if (
    typeof at !== "string" ||
    typeof version !== "string" ||
    typeof revision !== "number" ||
    !vars ||
    !secretNames ||
    !secrets ||
    !flags ||
    !evaluators ||
    !flagMetadata
  ) {
    throw new EnvmError("copy_unreadable", {
      reason: "The kept copy was written by another version.",
      fix: "It is written anew as soon as the engine answers.",
    });
  }
  const set = Object.fromEntries(secretNames.map((name) => [name, { set: true as const }]));
  return {
    copy: copyOf(
      { project_id: "", env: "", version, revision, vars, secrets: set, flags, evaluators, flag_metadata: flagMetadata },
      secrets,
      etag ?? null,
    ),
    at: new Date(at),
  };
}

/** A store may be a program's own, which fails, or answers, at once where a promise was meant. */
async function asked<Result>(what: "read" | "written", work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw new EnvmError("copy_store_failed", {
      reason: `The kept copy could not be ${what}.`,
      fix: "Check the store that `persist` names.",
      cause,
    });
  }
}

/** Refuses text that no copy is as long as. */
export function checkedLength(length: number): void {
  if (length > BOUNDS.copyLength) throw new Error(`a kept copy is at most ${BOUNDS.copyLength} characters long`);
}
