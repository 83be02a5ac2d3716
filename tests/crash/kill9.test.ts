import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkStore } from "../../src/integrity.ts";
import { openStore } from "../../src/storage/open.ts";
import { Fleet, SHARED } from "../instances/fleet.ts";
import { Engine } from "../support/engine.ts";
import { type PageOf, Project, type RevisionEntry, type Written } from "../support/project.ts";

/**
 * What was acknowledged survives `kill -9` of the engine. In each round many writers write at once and again, until the engine is
 * killed when some number of writes has been answered. It is started again on the same store, and every acknowledged write is looked
 * for. What was not acknowledged may be there or not, but never in part. The rounds share one store: each is one more crash of it.
 */
const LONG = process.env.ENV_MANAGER_TEST_LONG !== undefined;
const PROJECTS = 7;
/** Rounds after which projects of their own are written to, so that looking at everything does not take longer and longer. */
const ERA = 10;

interface Backend {
  readonly name: string;
  readonly rounds: number;
  readonly writers: number;
  open(): Promise<{ readonly engine: Engine; readonly storeUrl: string; dispose(): Promise<void> }>;
}

const BACKENDS: readonly Backend[] = [
  {
    name: "sqlite",
    rounds: LONG ? 100 : 3,
    writers: 1_000,
    async open() {
      const engine = await new Engine().start();
      return { engine, storeUrl: `sqlite:${join(engine.directory, "env.db")}`, dispose: () => engine.dispose() };
    },
  },
  ...SHARED.map(({ name, start }) => ({
    name,
    rounds: LONG ? 100 : 2,
    writers: 200,
    async open() {
      const fleet = await Fleet.start(start, 1);
      return { engine: fleet.engines[0] as Engine, storeUrl: fleet.server.url, dispose: () => fleet.dispose() };
    },
  })),
];

interface Acknowledged {
  /** Unique, and the revision's message. */
  readonly id: string;
  readonly kind: "component" | "var" | "secret";
  readonly project: Project;
  readonly revision: number;
  readonly version: string;
}

const KINDS = ["component", "var", "secret"] as const;

/** One write of a value of its own, under a name of its own. `null` where the engine was killed before it answered. */
async function write(engine: Engine, id: string, project: Project, kind: Acknowledged["kind"]): Promise<Acknowledged | null> {
  const sent =
    kind === "component"
      ? engine.request<Written>("PATCH", project.path("development", "state"), { set: { [`entities/${id}`]: { id } }, message: id })
      : engine.request<Written>("PATCH", project.path("development", "config"), { [`${kind}s`]: { [id]: `value of ${id}` }, message: id });
  const reply = await sent.catch(() => null);
  // No reply, or half a one: nobody was told anything.
  if (reply === null) return null;
  expect(reply.status, reply.text).toBe(200);
  return { id, kind, project, revision: reply.body.revision, version: reply.body.version };
}

/** Writes with all writers at once and kills the engine as soon as `enough` writes are acknowledged. */
async function writeUntilKilled(
  engine: Engine,
  projects: readonly Project[],
  { round, writers, enough }: { readonly round: number; readonly writers: number; readonly enough: number },
): Promise<readonly Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  let killed: Promise<void> | undefined;
  const all = Array.from({ length: writers }, async (_, writer) => {
    const project = projects[writer % PROJECTS] as Project;
    const kind = KINDS[writer % KINDS.length] ?? "component";
    for (let nth = 0; killed === undefined; nth++) {
      const written = await write(engine, `w_${round}_${writer}_${nth}`, project, kind);
      if (written === null) return;
      acknowledged.push(written);
      if (acknowledged.length >= enough) killed ??= engine.kill9();
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
async function checkProject(project: Project, acknowledged: readonly Acknowledged[]): Promise<void> {
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

/** Everything in the store resolves, and every audit chain verifies; nobody else may have it open. */
async function checkWhole(storeUrl: string): Promise<void> {
  const store = await openStore(storeUrl);
  const faults: string[] = [];
  try {
    await checkStore(store, { onFault: (project, what) => faults.push(`${project}: ${what}`) });
  } finally {
    await store.close();
  }
  expect(faults).toEqual([]);
}

describe.each(BACKENDS)("on $name", ({ rounds, writers, open }) => {
  let opened: Awaited<ReturnType<Backend["open"]>>;

  beforeAll(async () => {
    opened = await open();
  }, 60_000);
  afterAll(() => opened?.dispose(), 60_000);

  test(
    `${rounds} kills in the middle of ${writers} concurrent writers lose nothing that was acknowledged`,
    async () => {
      const { engine, storeUrl } = opened;
      let projects: readonly Project[] = [];
      let acknowledged: Acknowledged[] = [];
      for (let round = 0; round < rounds; round++) {
        if (round % ERA === 0) [projects, acknowledged] = [await newProjects(engine), []];
        const enough = Math.ceil((writers * ((round % ERA) + 0.5)) / Math.min(rounds, ERA));
        const written = await writeUntilKilled(engine, projects, { round, writers, enough });
        expect(written.length).toBeGreaterThanOrEqual(enough);
        acknowledged.push(...written);
        if (round % ERA === ERA - 1 || round === rounds - 1) await checkWhole(storeUrl);
        await engine.restart();
        for (const project of projects) {
          await checkProject(
            project,
            acknowledged.filter((write) => write.project === project),
          );
        }
      }
      // It still writes.
      for (const project of projects) await project.patchState("development", { set: { "entities/after": {} } });
    },
    rounds * 60_000,
  );
});

async function newProjects(engine: Engine): Promise<readonly Project[]> {
  const projects = Array.from({ length: PROJECTS }, () => new Project(engine, "crash"));
  for (const project of projects) await project.create("development");
  return projects;
}
