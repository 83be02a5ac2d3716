import { afterAll, beforeAll, expect, test } from "vitest";
import { Engine } from "../support/engine.ts";
import { type PageOf, Project, type RevisionEntry, type Written } from "../support/project.ts";

/**
 * What was acknowledged survives `kill -9`. In each round 1,000 writers write at once and again, until the engine is killed
 * when some number of writes has been answered. It is started again on the same files, and every acknowledged write is
 * looked for. What was not acknowledged may be there or not, but never in part. The rounds share one database: each is one
 * more crash of it.
 */
const ROUNDS = process.env.ENV_MANAGER_TEST_LONG ? 20 : 3;
const WRITERS = 1_000;
const PROJECTS = 7;

const engine = new Engine();
const projects: Project[] = [];

interface Acknowledged {
  /** Unique, and the revision's message. */
  readonly id: string;
  readonly kind: "component" | "var" | "secret";
  readonly project: Project;
  readonly revision: number;
  readonly version: string;
}

beforeAll(async () => {
  await engine.start();
  for (let index = 0; index < PROJECTS; index++) {
    const project = new Project(engine, "crash");
    await project.create("development");
    projects.push(project);
  }
}, 60_000);
afterAll(() => engine.dispose(), 60_000);

const KINDS = ["component", "var", "secret"] as const;

/** One write of a value of its own, under a name of its own. `null` where the engine was killed before it answered. */
async function write(id: string, project: Project, kind: Acknowledged["kind"]): Promise<Acknowledged | null> {
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
async function writeUntilKilled(round: number, enough: number): Promise<readonly Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  let killed: Promise<void> | undefined;
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    const project = projects[writer % PROJECTS] as Project;
    const kind = KINDS[writer % KINDS.length] ?? "component";
    for (let nth = 0; killed === undefined; nth++) {
      const written = await write(`w_${round}_${writer}_${nth}`, project, kind);
      if (written === null) return;
      acknowledged.push(written);
      if (acknowledged.length >= enough) killed ??= engine.kill9();
    }
  });
  await Promise.all(writers);
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

test(
  `${ROUNDS} kills in the middle of ${WRITERS} concurrent writes lose nothing that was acknowledged`,
  async () => {
    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const enough = Math.ceil((WRITERS * (round + 0.5)) / ROUNDS);
      const written = await writeUntilKilled(round, enough);
      expect(written.length).toBeGreaterThanOrEqual(enough);
      acknowledged.push(...written);
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
  ROUNDS * 60_000,
);
