import type { RevisionRef } from "../model.ts";
import { authorOf, committerOf, messageOf } from "./commit-text.ts";
import type { Step } from "./history.ts";

/** The newest commit of an environment. */
export interface Tip {
  readonly commit: string;
  readonly revision: number;
  /** Environments whose commits are among its ancestors, its own included, by name. */
  readonly holds: readonly string[];
  /** A preview that is over has no branch. */
  readonly expired: boolean;
}

export type Tips = ReadonlyMap<string, Tip>;

/** Where the commits of a preview that is over are kept: nobody is shown it, and a restored preview goes on from there. */
const EXPIRED = "refs/envm/expired/";
const NOTHING = "0".repeat(40);

/**
 * Revisions as commands for `git fast-import`. It writes a line with the id of the newest commit of each environment that has new
 * ones, in the order of `environments`.
 */
export class ImportScript {
  readonly #before: Tips;
  /** `env@revision` → mark, of what this very script makes. */
  readonly #marks = new Map<string, number>();
  readonly #made = new Map<string, Omit<Tip, "commit">>();

  constructor(before: Tips) {
    this.#before = before;
  }

  get environments(): readonly string[] {
    return [...this.#made.keys()];
  }

  /** The tips after it, given the lines that git wrote. */
  tips(lines: readonly string[]): Tips {
    const made = [...this.#made].map(([env, tip], index): [string, Tip] => {
      const commit = lines[index] ?? "";
      if (!/^[0-9a-f]{40}$/.test(commit)) throw new Error(`git named no commit of ${env}`);
      return [env, { commit, ...tip }];
    });
    return new Map([...this.#before, ...made]);
  }

  async *commands(steps: Iterable<Step>): AsyncGenerator<string> {
    for (const step of steps) yield* this.#commit(step);
    for (const [env, { revision }] of this.#made) yield `get-mark ${this.#nameOf({ env, revision })}\n`;
    yield "done\n";
  }

  async *#commit({ revision, parent, merged, makesVersion, edits }: Step): AsyncGenerator<string> {
    const { env, revision: number, action, version } = revision;
    const mark = this.#marks.size + 1;
    const branch = `refs/heads/${env}`;
    const message = messageOf(revision);
    const parents = [...(parent === null ? [] : [`from ${this.#nameOf(parent)}`]), ...merged.map((one) => `merge ${this.#nameOf(one)}`)];
    const lines = [
      // A branch that is not said to go on from somewhere begins anew.
      ...(parent === null ? [`reset ${branch}`] : []),
      `commit ${branch}`,
      `mark :${mark}`,
      `author ${authorOf(revision)}`,
      `committer ${committerOf(revision)}`,
      `data ${Buffer.byteLength(message)}`,
      message,
      ...parents,
    ];
    yield `${lines.join("\n")}\n`;
    for await (const { path, text } of edits()) yield text === null ? `D "${path}"\n` : written(path, text);
    yield "\n";
    this.#marks.set(keyOf(revision), mark);
    const expired = action === "expire";
    this.#made.set(env, { revision: number, holds: this.#heldBy(env, [parent, ...merged]), expired });
    if (makesVersion) yield `reset refs/tags/${version}\nfrom :${mark}\n\n`;
    if (expired) yield `reset ${EXPIRED}${env}\nfrom :${mark}\n\nreset ${branch}\nfrom ${NOTHING}\n\n`;
  }

  #heldBy(env: string, parents: readonly (RevisionRef | null)[]): readonly string[] {
    const held = parents.flatMap((parent) => (parent === null ? [] : this.#tipOf(parent.env).holds));
    return [...new Set([env, ...held])].sort();
  }

  #tipOf(env: string): Pick<Tip, "revision" | "holds"> {
    const tip = this.#made.get(env) ?? this.#before.get(env);
    if (tip === undefined) throw new Error(`a revision of ${env} is named before it is made`);
    return tip;
  }

  /** Each commit's first parent is that of the revision before it. */
  #nameOf(revision: RevisionRef): string {
    const mark = this.#marks.get(keyOf(revision));
    if (mark !== undefined) return `:${mark}`;
    const tip = this.#before.get(revision.env);
    if (tip === undefined || tip.revision < revision.revision) throw new Error(`${keyOf(revision)} is named before it is made`);
    return tip.revision === revision.revision ? tip.commit : `${tip.commit}~${tip.revision - revision.revision}`;
  }
}

function written(path: string, text: string): string {
  return `M 100644 inline "${path}"\ndata ${Buffer.byteLength(text)}\n${text}\n`;
}

function keyOf({ env, revision }: RevisionRef): string {
  return `${env}@${revision}`;
}
