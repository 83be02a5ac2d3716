import type { GitSourceDocument } from "./git-source-documents.ts";
import { quoted } from "./names.ts";
import type { Json } from "./ports.ts";
import type { Lost, Secrets } from "./secrets.ts";

/** Where the secrets of sources stand among those of environments, none of which can have this name. */
export const SOURCES = "_git";

/** What the vault keeps for the repositories that environments follow. */
export class GitSourceSecrets {
  readonly #secrets: Secrets;
  /** What the vault is being asked for, by reference: whoever sends much that is badly signed has it asked once at a time. */
  readonly #asking = new Map<string, Promise<string>>();

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  /** The token or password of the repository; `null` where it needs none. */
  async credential(project: string, { env, credential }: GitSourceDocument): Promise<string | null> {
    if (credential === null) return null;
    return this.#secrets.revealOwn(project, SOURCES, credential as unknown as Json, lost("credential", env));
  }

  /** What pushes are signed with. A reference never stands for another value, so that whoever asks meanwhile is given the same. */
  ofPushes(project: string, { env, hook }: GitSourceDocument): Promise<string> {
    const key = `${project}/${hook.vault}`;
    const asked = this.#asking.get(key);
    if (asked !== undefined) return asked;
    const asking = this.#secrets
      .revealOwn(project, SOURCES, hook as unknown as Json, lost("webhook's secret", env))
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }
}

function lost(what: string, env: string): Lost {
  return {
    reason: `The ${what} of the repository that ${quoted(env)} follows is gone from the vault.`,
    fix: "Set the source again, with its credential and a new secret for the webhook: envm git source set --credential … --rotate-hook.",
  };
}
