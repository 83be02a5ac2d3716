import { expect } from "vitest";
import { checkStore } from "../../src/integrity.ts";
import { openStore } from "../../src/storage/open.ts";
import type { Engine } from "../support/engine.ts";
import type { PageOf, Project, RevisionEntry, Written } from "../support/project.ts";

export interface Acknowledged {
  /** Unique, and the revision's message. */
  readonly id: string;
  readonly kind: "component" | "var" | "secret";
  readonly project: Project;
  readonly revision: number;
  readonly version: string;
}

const KINDS = ["component", "var", "secret"] as const;

/** Statuses by which an engine whose store is being killed says that it does not know, or that others kept winning. */
const REFUSED = [503, 409];

export interface Load {
  /** Writers go to them in turn. */
  readonly engines: readonly Engine[];
  readonly projects: readonly Project[];
  readonly writers: number;
  /** Makes the ids of one round's writes its own. */
  readonly round: number;
  /** Acknowledged writes after which `kill` is called. */
  readonly enough: number;
  readonly kill: () => Promise<void>;
  /** Whether a write may be refused because the store is gone, and not the engine. */
  readonly mayRefuse: boolean;
}

/** One write of a value of its own, under a name of its own. `null` where the engine or its store was killed before it answered. */
async function write(
  engine: Engine,
  id: string,
  project: Project,
  kind: Acknowledged["kind"],
  mayRefuse: boolean,
): Promise<Acknowledged | null> {
  const sent =
    kind === "component"
      ? engine.request<Written>("PATCH", project.path("development", "state"), { set: { [`entities/${id}`]: { id } }, message: id })
      : engine.request<Written>("PATCH", project.path("development", "config"), { [`${kind}s`]: { [id]: `value of ${id}` }, message: id });
  const reply = await sent.catch(() => null);
  // No reply, or half a one: nobody was told anything.
  if (reply === null || (mayRefuse && REFUSED.includes(reply.status))) return null;
  expect(reply.status, reply.text).toBe(200);
  return { id, kind, project, revision: reply.body.revision, version: reply.body.version };
}

/** Writes with all writers at once and kills as soon as `enough` writes are acknowledged. Answers those that were. */
export async function writeUntilKilled({
  engines,
  projects,
  writers,
  round,
  enough,
  kill,
  mayRefuse,
}: Load): Promise<readonly Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  let killed: Promise<void> | undefined;
  const all = Array.from({ length: writers }, async (_, writer) => {
    const project = projects[writer % projects.length] as Project;
    const engine = engines[writer % engines.length] as Engine;
    const kind = KINDS[writer % KINDS.length] ?? "component";
    for (let nth = 0; killed === undefined; nth++) {
      const written = await write(engine, `w_${round}_${writer}_${nth}`, project, kind, mayRefuse);
      if (written === null) continue;
      acknowledged.push(written);
      if (acknowledged.length >= enough) killed ??= kill();
    }
  });
  await Promise.all(all);
  await killed;
  return acknowledged;
}

async function allRevisions(project: Project): Promise<readonly RevisionEntry[]> {
  const entries: RevisionEntry[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const query: string = `?limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
    const page: PageOf<RevisionEntry> = await project.read<PageOf<RevisionEntry>>(project.path("development", "revisions") + query);
    entries.push(...page.items);
    cursor = page.next_cursor;
  }
  return entries;
}

/** Everything acknowledged in this project is there, and its history and audit chain are whole. */
export async function checkProject(project: Project, acknowledged: readonly Acknowledged[]): Promise<void> {
  const revisions = await allRevisions(project);
  expect(revisions.map(({ revision }) => revision)).toEqual(
    Array.from({ length: revisions.length }, (_, index) => revisions.length - index),
  );
  const byNumber = new Map(revisions.map((entry) => [entry.revision, entry]));
  const components: Readonly<Record<string, unknown>> = (await project.state("development")).entities ?? {};
  const { vars, secrets, revision } = await project.runtime("development");
  expect(revision).toBe(revisions.length);

  const lost = acknowledged.filter((written) => {
    const entry = byNumber.get(written.revision);
    const value = { component: components[written.id], var: vars[written.id], secret: secrets[written.id] }[written.kind];
    const expected = written.kind === "component" ? { id: written.id } : `value of ${written.id}`;
    const isThere = JSON.stringify(value) === JSON.stringify(expected);
    return !isThere || entry?.message !== written.id || entry.version !== written.version;
  });
  expect(lost.map(({ id }) => id)).toEqual([]);
  // Nothing is there in part: what has a value has its revision, and the other way round.
  const values = Object.keys(components).length + Object.keys(vars).length + Object.keys(secrets).length;
  expect(values).toBe(revisions.length - 1);

  const verified = await project.verify();
  expect(verified.valid).toBe(true);
  expect(verified.records).toBeGreaterThanOrEqual(revisions.length);
}

/** Everything in the store resolves, and every audit chain verifies. Of an SQLite file nobody else may have it open. */
export async function checkWhole(storeUrl: string): Promise<void> {
  const store = await openStore(storeUrl);
  const faults: string[] = [];
  try {
    await checkStore(store, { onFault: (project, what) => faults.push(`${project}: ${what}`) });
  } finally {
    await store.close();
  }
  expect(faults).toEqual([]);
}
