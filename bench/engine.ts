import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { mayDoAll } from "../src/callers.ts";
import { createDomain, type Domain } from "../src/domain.ts";
import type { Caller } from "../src/model.ts";
import type { Json } from "../src/ports.ts";
import type { PlatformState } from "../src/state.ts";
import { checked } from "../src/storage/checked.ts";
import { openSqlite, type SqliteBackend } from "../src/storage/sqlite.ts";
import { openBuiltinVault } from "../src/vault/builtin.ts";
import { CountingStore } from "./counting-store.ts";

export const PROJECT = "bench";
export const CALLER: Caller = mayDoAll("bench", "00000000-0000-4000-8000-000000000000");

/** The engine without HTTP, in this process, on an SQLite file with the settings that the product uses. */
export interface InProcess {
  readonly store: CountingStore;
  readonly backend: SqliteBackend;
  readonly domain: Domain;
  /** The same engine with empty caches, as after a start. */
  cold(): Domain;
  close(): Promise<void>;
}

/** One key for all of a run: the files are gone after it. */
export const MASTER_KEY = randomBytes(32).toString("base64");

export async function openEngine(folder: string): Promise<InProcess> {
  const url = `sqlite:${databasePath(folder)}`;
  const backend = await openSqlite(url);
  const store = new CountingStore(checked(backend));
  const vault = await openBuiltinVault({ store, storeUrl: url, masterKey: MASTER_KEY });
  const failed = (error: unknown): never => {
    throw error;
  };
  const cold = () =>
    createDomain({
      store,
      vault,
      clock: { now: () => new Date() },
      validator: null,
      builder: null,
      previewUrlTemplate: "https://preview.example/{project_id}/{env}",
      failed,
      exclusive: true,
    });
  return { store, backend, domain: cold(), cold, close: () => store.close() };
}

export function databasePath(folder: string): string {
  return join(folder, "env.db");
}

/** Bytes of the database file once its log was written back into it, which closing does. */
export async function closedSize(engine: InProcess, folder: string): Promise<number> {
  await engine.close();
  return statSync(databasePath(folder)).size;
}

/** An environment with this state, as the first of its project. */
export async function createWith(domain: Domain, env: string, state: PlatformState): Promise<void> {
  await domain.creation.create(CALLER, { project: PROJECT, env, base: null });
  await domain.state.replace(CALLER, { project: PROJECT, env, ifMatch: null, state });
}

export async function patchState(domain: Domain, env: string, set: ReadonlyMap<string, Json>): Promise<void> {
  const { status } = await domain.state.patch(CALLER, { project: PROJECT, env, ifMatch: null, set: Object.fromEntries(set) });
  if (status !== "updated") throw new Error(`a change of ${env} changed nothing`);
}

/** A reply that comes in pieces, as it is sent. */
export async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}
