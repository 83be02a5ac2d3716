import { summary } from "./changes.ts";
import { checkConfigSize } from "./config-store.ts";
import { appendEdit, type EditRequest, type EditResult, editResult } from "./edits.ts";
import { AppError } from "./errors.ts";
import { checkPrecondition, headTag, type TaggedRead } from "./etags.ts";
import { checkFlags, EVALUATORS, FLAG_METADATA, FLAGS, flagEntries, membersOf } from "./flag-entries.ts";
import { documentsOf, findRevision, readableHead, writableHead } from "./heads.ts";
import { isObject } from "./json.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { Caller } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import { checkMayEdit } from "./policy.ts";
import type { Hash, Json, JsonObject, Store } from "./ports.ts";
import type { Maps, Snapshots } from "./snapshots.ts";

/** flagd's own definition file (https://flagd.dev/schema/v0/flags.json). */
export interface FlagFile {
  readonly flags: JsonObject | readonly Json[];
  readonly $evaluators?: JsonObject | undefined;
  readonly metadata?: JsonObject | undefined;
}

interface ReplaceFlags extends EditRequest {
  readonly file: FlagFile;
  /** Keeps the flags, evaluators and metadata that the file does not name. */
  readonly keep: boolean;
}

const FLAG_SCHEMA = "https://flagd.dev/schema/v0/flags.json";

/** The flags of an environment as a file that flagd reads, and the way back. */
export class FlagFiles {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
  }

  /** What the environment binds, of the head or of revision `at`. */
  async read(project: string, env: string, { at }: { readonly at?: number | undefined }): Promise<TaggedRead> {
    const documents = documentsOf(this.#store, project);
    const head = await readableHead(documents, env, async () => (await this.#store.now()).toISOString());
    const shown = at === undefined ? head : await findRevision(documents, head, at);
    const maps = this.#snapshots.read(project);
    return {
      project_id: project,
      env,
      version: shown.version,
      revision: shown.revision,
      tag: headTag(project, shown),
      load: async () => {
        const [flags, evaluators, metadata] = await Promise.all(KINDS.map((prefix) => membersOf(maps, shown.config, prefix)));
        return {
          $schema: FLAG_SCHEMA,
          flags,
          ...(isEmpty(evaluators) ? {} : { $evaluators: evaluators }),
          ...(isEmpty(metadata) ? {} : { metadata }),
        };
      },
    };
  }

  /** Makes an environment's flags those of the file, in one revision; vars and secrets stay. @throws invalid_flag */
  async replace(caller: Caller, request: ReplaceFlags): Promise<EditResult> {
    const { project, env } = request;
    checkProject(project);
    const entries = new Map<string, Json | undefined>(flagEntries(contentOf(request.file)));
    return this.#ledger.once(project, caller, () =>
      this.#ledger.write(project, caller, async (tx) => {
        const head = await writableHead(tx, env, tx.clock);
        await checkMayEdit(tx, caller, head);
        checkPrecondition(project, head, request.ifMatch);
        const maps = this.#snapshots.edit(tx);
        const gone = request.keep ? [] : (await namesOf(maps, head.config)).filter((entry) => !entries.has(entry));
        const edits = new Map([...entries, ...gone.map((entry) => [entry, undefined] as const)]);
        await checkFlags(maps, head.config, edits);
        const { root, changes } = await maps.edit(head.config, edits);
        const changed = summary({ platform: [], config: changes });
        if (changes.length === 0) return editResult("no_changes", project, head, changed);
        await checkConfigSize(maps, root, head.config);
        const snapshot = { platform: head.platform, config: root };
        return appendEdit(tx, head, request, { action: "config", snapshot, bump: "patch", changes: changed });
      }),
    );
  }
}

const KINDS = [FLAGS, EVALUATORS, FLAG_METADATA] as const;

async function namesOf(maps: Maps, config: Hash): Promise<string[]> {
  const names = await Promise.all(KINDS.map((prefix) => maps.names(config, { prefix, limit: LIMITS.configEntries })));
  return names.flat();
}

/** flagd's daemon also takes a list of flags that hold their own keys. @throws invalid_flag */
function contentOf({ flags, $evaluators, metadata }: FlagFile) {
  return { flags: Array.isArray(flags) ? byKey(flags) : (flags as JsonObject), evaluators: $evaluators, flag_metadata: metadata };
}

function byKey(flags: readonly Json[]): JsonObject {
  const found = new Map<string, Json>();
  for (const [index, flag] of flags.entries()) {
    const { key, ...definition } = isObject(flag) ? flag : {};
    if (typeof key !== "string") throw unusable(`\`flags[${index}]\` has no \`key\``, "Give each flag of a list its `key`.");
    if (found.has(key)) throw unusable(`The key ${quoted(key)} is there twice`, "Give each flag a key of its own.");
    found.set(key, definition);
  }
  return Object.fromEntries(found);
}

function unusable(what: string, fix: string): AppError {
  return new AppError("invalid_flag", { reason: `${what}.`, fix });
}

function isEmpty(members: JsonObject | undefined): boolean {
  return members === undefined || Object.keys(members).length === 0;
}
