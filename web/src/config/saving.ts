import type { QueryClient } from "@tanstack/react-query";
import { EnvmError } from "../../../src/sdk/errors.ts";
import { api } from "../api.ts";
import { configQuery } from "../queries.ts";
import { boundIn, type Key } from "./Matrix.tsx";
import { originsOf } from "./origins.ts";

/** What a key becomes: another value, or nothing. */
export type Change = { readonly value: unknown } | "unset";

/** How often a save is sent again because something else of the environment changed while it was under way. */
const ATTEMPTS = 5;

/** Newest revisions in which a password's changes are looked for; one that is older counts as changed. */
const LOOKED = 200;

/** What a key is in one revision of its environment. */
export interface Shown {
  /** `undefined` where it is not set. Of a password only whether it is. */
  readonly value: unknown;
  readonly revision: number;
}

/** Nothing was saved, since something else is there now than whoever saves was shown. */
export class Overtaken extends Error {
  readonly now: Shown;

  constructor(now: Shown) {
    super("Somebody else changed it meanwhile.");
    this.now = now;
  }
}

export function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

interface Saving {
  readonly project: string;
  readonly env: string;
  readonly key: Key;
  readonly change: Change;
  /** What whoever saves was shown. */
  readonly over: Shown;
}

/**
 * Saves one key of an environment where it still is what somebody was shown. The engine compares all of the environment; what of it
 * others change besides this key is in nobody's way, and it is sent again. @throws Overtaken
 */
export async function saveOver(queries: QueryClient, { project, env, key, change, over }: Saving): Promise<void> {
  const query = configQuery(project, env);
  const set =
    change === "unset" ? { unset: [`${key.kind}/${key.name}`] } : { [key.kind]: { [key.name]: change.value } as Record<string, string> };
  for (let attempt = 1; ; attempt++) {
    const config = await queries.fetchQuery({ ...query, staleTime: attempt === 1 ? Number.POSITIVE_INFINITY : 0 });
    const now = { value: boundIn(config, key), revision: config.revision };
    const isChanged = !isSame(now.value, over.value) || (key.kind === "secrets" && (await isSetSince(project, env, key, over.revision)));
    if (isChanged) throw new Overtaken(now);
    try {
      await api.patchConfig({ project, env, ...set, ifMatch: config.etag ?? undefined });
      return;
    } catch (error) {
      if (!(error instanceof EnvmError) || error.code !== "precondition_failed" || attempt === ATTEMPTS) throw error;
      // What is on its way may have been asked for before the change.
      await queries.cancelQueries({ queryKey: query.queryKey, exact: true });
    }
  }
}

/** Nobody is shown whether a password is another one: its environment's revisions say when it was set. */
async function isSetSince(project: string, env: string, key: Key, revision: number): Promise<boolean> {
  const { items } = await api.listRevisions({ project, env, limit: LOOKED });
  const since = items.filter((each) => each.revision > revision);
  if (since.length === LOOKED) return true;
  return (originsOf(since)(key)?.revision ?? 0) > revision;
}
