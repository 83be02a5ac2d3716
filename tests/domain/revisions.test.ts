import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { documentsOf, resolveRevision, revisionOfVersion } from "../../src/heads.ts";
import { keys } from "../../src/keys.ts";
import { parseLabel } from "../../src/labels.ts";
import type { Label, Revision } from "../../src/model.ts";
import {
  caller,
  codeOf,
  document,
  documents,
  errorOf,
  headOf,
  memoryStore,
  openWorld,
  PROJECT,
  storedRevisions,
  TestClock,
  type World,
} from "./support.ts";

const ENVS = ["dev", "staging", "production"] as const;
type Step = readonly [kind: "config" | "add" | "remove" | "exact" | "promote" | "rollback" | "archive" | "wait", a: number, b: number];

const steps = fc.array(
  fc.tuple(
    fc.constantFrom<Step[0]>("config", "config", "add", "add", "remove", "exact", "promote", "rollback", "rollback", "archive", "wait"),
    fc.nat({ max: 999 }),
    fc.nat({ max: 999 }),
  ),
  { minLength: 5, maxLength: 30, size: "max" },
);

/** A project of three environments after these steps: edits, promotions and rollbacks, some within one millisecond. */
async function played(list: readonly Step[]): Promise<World> {
  const clock = new TestClock();
  const world = await openWorld({ store: memoryStore(clock) });
  const { project } = world;
  await project.create("dev");
  await project.create("staging", { base: "dev" });
  await project.create("production", { base: "staging" });
  let value = 0;
  for (const [kind, a, b] of list) {
    const env = ENVS[a % 3] as string;
    value++;
    if (kind === "wait") clock.time += a;
    else if (kind === "config") await project.configure(env, { vars: { V: `${value}` } });
    else if (kind === "add") await project.set(env, { [`flows/${b % 5}`]: { value } });
    else if (kind === "exact") await project.set(env, { "flows/0": { value } }, { version: `v${a % 3}.${b % 20}.${value}` });
    else if (kind === "archive") {
      await world.domain.environments.archive(project.caller, { project: PROJECT, env });
      await world.domain.previews.restore(project.caller, { project: PROJECT, env });
    } else if (kind === "promote") await project.promote(env, ENVS[(a + 1 + (b % 2)) % 3] as string, { strategy: "replace" });
    else if (kind === "rollback") await project.rollback(env, 1 + (b % (await project.revisionNumber(env))));
    else {
      const [name] = Object.keys(((await project.state(env)).flows ?? {}) as object);
      if (name !== undefined) await project.remove(env, `flows/${name}`);
    }
  }
  return world;
}

/** The oracle: the last revision of the log for which `matches` holds. */
function last(log: readonly Revision[], matches: (revision: Revision) => boolean): number | null {
  return log.findLast(matches)?.revision ?? null;
}

test("a version, a prefix, a number and a time find the revision that a scan of the log finds", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const { store } = await played(list);
      const logs = await Promise.all(ENVS.map((env) => storedRevisions(store, env)));
      const labels = [...new Set(logs.flat().map(({ version }) => version))];
      const prefixes = [
        ...new Set(labels.flatMap((label) => [label, label.split(".").slice(0, 2).join("."), label.split(".")[0] as string])),
      ];
      const times = [
        ...new Set(
          logs.flat().flatMap(({ timestamp }) => [-1, 0, 1].map((offset) => new Date(Date.parse(timestamp) + offset).toISOString())),
        ),
      ];
      for (const [index, env] of ENVS.entries()) {
        const log = logs[index] as Revision[];
        const view = documentsOf(store, PROJECT);
        const head = await headOf(store, env);
        const found = async (reference: string | number) => {
          try {
            return (await resolveRevision(view, head, reference)).revision;
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^(version|revision)_not_found$/) });
            return null;
          }
        };
        for (const prefix of [...prefixes, "v99", "v0.99", "v0.1.99"]) {
          const wanted = prefix.slice(1).split(".").map(Number);
          const expected = last(log, ({ version }) => wanted.every((part, at) => parseLabel(version)[at] === part));
          expect(await found(prefix), `${env} ${prefix}`).toBe(expected);
        }
        for (const time of times) expect(await found(time), `${env} ${time}`).toBe(last(log, ({ timestamp }) => timestamp <= time));
        for (const { revision } of log) {
          expect(await found(revision)).toBe(revision);
          expect(await found(String(revision))).toBe(revision);
        }
        expect(await found(log.length + 1)).toBeNull();
      }
    }),
    { numRuns: 25 },
  );
});

test("revisions are contiguous and append-only, time never runs backwards, and the head is the newest of them", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const { store, domain } = await played(list);
      for (const env of ENVS) {
        const log = await storedRevisions(store, env);
        expect(log.map(({ revision }) => revision)).toEqual(log.map((_, index) => index + 1));
        expect(log.map(({ timestamp }) => timestamp)).toEqual(log.map(({ timestamp }) => timestamp).sort());
        const { revision, version, platform, config } = await headOf(store, env);
        expect(log.at(-1)).toMatchObject({ revision, version, platform, config });
      }
      expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: true });
    }),
    { numRuns: 20 },
  );
});

test("a label names one platform root for ever, in every environment", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const { store, domain } = await played(list);
      const labels = new Map(
        (await documents(store, PROJECT, "label/")).map(({ value }) => [(value as unknown as Label).version, value as unknown as Label]),
      );
      for (const env of ENVS) {
        for (const { version, platform } of await storedRevisions(store, env))
          expect(labels.get(version)?.platform, `${env} ${version}`).toBe(platform);
      }
      const listed: string[] = [];
      for (let cursor: string | null = null, pages = 0; pages === 0 || (cursor !== null && pages < 100); pages++) {
        const page: { items: readonly { version: string }[]; next_cursor: string | null } = await domain.versions.versions(
          caller("reader"),
          PROJECT,
          {
            limit: 3,
            cursor,
          },
        );
        listed.push(...page.items.map(({ version }) => version));
        cursor = page.next_cursor;
      }
      expect(new Set(listed)).toEqual(new Set(labels.keys()));
      expect(listed.length).toBe(labels.size);
    }),
    { numRuns: 20 },
  );
});

describe("what names no revision says so:", () => {
  test.each<readonly [string, string]>([
    ["", "invalid_request"],
    ["head", "invalid_request"],
    ["v1.x", "invalid_request"],
    ["-1", "invalid_request"],
    ["2026-13-45", "invalid_request"],
    ["2030-02-30", "invalid_request"],
    ["2030-02-29T12:00:00Z", "invalid_request"],
    ["2030-06-31T12:00:00+02:00", "invalid_request"],
    ["0", "revision_not_found"],
    ["999999999999", "revision_not_found"],
    ["1999-12-31", "revision_not_found"],
    ["v3.1.4", "version_not_found"],
    ["v3", "version_not_found"],
  ])("%j is %s", async (reference, code) => {
    const { store, project } = await openWorld();
    await project.create("dev");
    const head = await headOf(store, "dev");
    expect(await codeOf(resolveRevision(documentsOf(store, PROJECT), head, reference))).toBe(code);
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 53, 2])("the number %d is revision_not_found", async (reference) => {
    const { store, project } = await openWorld();
    await project.create("dev");
    expect(await codeOf(resolveRevision(documentsOf(store, PROJECT), await headOf(store, "dev"), reference))).toBe("revision_not_found");
  });

  test("a version that another environment runs is not found, and the reason says where to look", async () => {
    const { store, project } = await openWorld();
    await project.create("dev");
    await project.create("staging");
    await project.set("dev", { "flows/a": {} }, { version: "v4.0.0" });
    const error = await errorOf(resolveRevision(documentsOf(store, PROJECT), await headOf(store, "staging"), "v4.0.0"));
    expect(error).toMatchObject({ code: "version_not_found", fix: expect.stringContaining("/staging/revisions") });
  });
});

test("where a version alone is asked for, no number or time is offered instead", async () => {
  const { store, project } = await openWorld();
  await project.create("dev");
  const refused = errorOf(revisionOfVersion(documentsOf(store, PROJECT), await headOf(store, "dev"), "2026-01-31T12:00:00Z"));
  expect(await refused).toMatchObject({ code: "invalid_request", fix: "Give a version (`v2.3.1`), or the beginning of one (`v2.9`)." });
});

test("a version's own entry is the revision that made it, wherever that was", async () => {
  const { project, domain } = await openWorld();
  await project.create("dev");
  await project.set("dev", { "flows/a": {} }, { version: "v4.0.0" });
  await project.create("staging", { base: "dev" });
  await project.set("dev", { "flows/a": { on: 1 } });
  expect(await domain.versions.version(caller("reader"), PROJECT, "4.0.0")).toMatchObject({ env: "dev", revision: 2, version: "v4.0.0" });
  expect(await codeOf(domain.versions.version(caller("reader"), PROJECT, "v9.9.9"))).toBe("version_not_found");
  expect(await codeOf(domain.versions.version(caller("reader"), "pf-none", "v4.0.0"))).toBe("project_not_found");
});

test("the version log is paged newest first, and shows no roots", async () => {
  const { project, domain } = await openWorld();
  await project.create("dev");
  for (let edit = 1; edit <= 6; edit++) await project.set("dev", { "flows/a": { edit } });
  const numbers: number[] = [];
  for (let cursor: string | null = null, pages = 0; pages === 0 || cursor !== null; pages++) {
    const page: { items: readonly { revision: number }[]; next_cursor: string | null } = await domain.versions.revisions(PROJECT, "dev", {
      limit: 3,
      cursor,
    });
    for (const entry of page.items) {
      numbers.push(entry.revision);
      expect(Object.keys(entry)).not.toEqual(expect.arrayContaining(["lineage"]));
      expect(entry).not.toHaveProperty("platform");
    }
    cursor = page.next_cursor;
  }
  expect(numbers).toEqual([7, 6, 5, 4, 3, 2, 1]);
});

test("a label is stored once, where it was first given", async () => {
  const { project, store } = await openWorld();
  await project.create("dev");
  await project.set("dev", { "flows/a": {} }, { version: "v4.0.0" });
  await project.create("staging", { base: "dev" });
  await project.rollback("dev", 1);
  await project.rollback("dev", 2);
  expect(await document<Label>(store, keys.label("v4.0.0"))).toMatchObject({ env: "dev", revision: 2 });
});
