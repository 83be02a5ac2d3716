import { rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Hash } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { domainOn, PROJECT, Project, TestClock, wrapped } from "../domain/support.ts";
import { temporaryFolder } from "../storage/support.ts";
import { collect, DAY, faultsOf, neededHashes, type Place, storedHashes } from "./support.ts";

interface FilePlace extends Place {
  readonly path: string;
}

/** A project in an SQLite file, where objects are deltas. */
async function inFile(work: (place: FilePlace) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  const path = join(folder, "env.db");
  const clock = new TestClock();
  const store = checked(await openSqlite(`sqlite:${path}`, { clock: clock.read }));
  try {
    const masterKey = Buffer.alloc(32, 7).toString("base64");
    const vault = await openBuiltinVault({ store, storeUrl: "memory:", masterKey });
    await work({ clock, store, vault, masterKey, path, project: new Project(domainOn(store, vault)) });
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Long enough to be an object of its own; a few words of it change. */
function body(edition: number) {
  return {
    title: "Onboarding",
    edition,
    steps: Array.from({ length: 20 }, (_, step) => ({ id: `step-${step}`, asks: `question ${step * 7}` })),
  };
}

function components(edition: number) {
  return Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`flows/f${n}`, n % 9 === edition % 9 ? body(edition) : body(n % 3)]));
}

/** Rewrites rows of the file past the engine. */
function tamper(path: string, sql: string, ...values: unknown[]): void {
  const db = new Database(path);
  db.prepare(sql).run(...values);
  db.close();
}

describe("collecting objects that others are deltas upon", () => {
  test("leaves everything readable that a revision needs, whatever the history and whenever it runs", async () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant("edit" as const), env: fc.nat(3), edition: fc.nat(40) }),
      fc.record({ does: fc.constant("branch" as const), env: fc.nat(3), edition: fc.nat(3) }),
      fc.record({ does: fc.constant("litter" as const), env: fc.nat(3), edition: fc.nat(40) }),
      fc.record({ does: fc.constant("collect" as const), env: fc.nat(3), edition: fc.nat(3) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), (steps) =>
        inFile(async (place) => {
          const { project, store, clock } = place;
          for (const env of ["e0", "e1"]) await project.create(env);
          const envs = new Set(["e0", "e1"]);
          const pick = (n: number) => [...envs][n % envs.size] as string;
          for (const [index, { does, env, edition }] of steps.entries()) {
            if (does === "edit") await project.set(pick(env), components(edition));
            else if (does === "branch") {
              await project.create(`b${index}`, { base: pick(env) });
              envs.add(`b${index}`);
            } else if (does === "litter") await writeLost(place, pick(env), components(edition));
            else {
              clock.time += 2 * DAY;
              await collect(place);
            }
          }
          clock.time += 2 * DAY;
          await collect(place);
          expect(await faultsOf(store)).toEqual([]);
          expect(await storedHashes(store)).toEqual(await neededHashes(store));
        }),
      ),
      { numRuns: 12 },
    );
  });
});

/** What a writer leaves that puts its objects and never comes to its commit: deltas that nothing refers to. */
async function writeLost({ store, vault }: Place, env: string, set: ReturnType<typeof components>): Promise<void> {
  const losing = wrapped(store, {
    commit: async (partition, change) => {
      await store.objects.put(partition, change.objects);
      throw new Error("lost");
    },
  });
  await new Project(domainOn(losing, vault)).set(env, set).catch(() => {});
}

describe("a store check tells of an object in a chain", () => {
  interface Planted {
    readonly path: string;
    /** The row of the newest delta upon a whole object, and of that. */
    readonly id: number;
    readonly base: number;
    readonly hash: Hash;
  }

  const damages: readonly (readonly [string, (planted: Planted) => void, RegExp])[] = [
    [
      "whose base is missing",
      ({ path, base }) => tamper(path, "DELETE FROM object WHERE id = ?", base),
      /object (\w+) is damaged \(what \1 is a delta upon is missing\), which the platform of revision \d of dev needs/,
    ],
    [
      "whose base is damaged",
      ({ path, base }) => tamper(path, "UPDATE object SET data = zeroblob(length(data)) WHERE id = ?", base),
      /object \w+ is damaged \(its bytes have another hash\)/,
    ],
    [
      "whose delta has a wrong length",
      ({ path, id }) => tamper(path, "UPDATE object SET data = substr(data, 1, length(data) - 1) WHERE id = ?", id),
      /object \w+ is damaged \(the delta of \w+ is wrong: it (ends too early|has a wrong length)\)/,
    ],
    [
      "that stands upon itself",
      ({ path, id, base }) => tamper(path, "UPDATE object SET base = ? WHERE id = ?", id, base),
      /object \w+ is damaged \(it stands upon more than 6 others, or upon itself\)/,
    ],
    [
      "that stands upon too many others",
      ({ path, id }) => {
        const copy =
          "INSERT INTO object (partition, hash, stored_at, data, base) SELECT partition, randomblob(32), stored_at, data, base FROM object WHERE id = ?";
        for (let n = 0; n < 7; n++) {
          tamper(path, copy, id);
          tamper(path, "UPDATE object SET base = (SELECT max(id) FROM object) WHERE id = ?", id);
        }
      },
      /object \w+ is damaged \(it stands upon more than 6 others, or upon itself\)/,
    ],
  ];

  test.each(damages)("%s", async (_, damage, told) => {
    await inFile(async ({ project, store, path }) => {
      await project.create("dev");
      for (let edition = 0; edition < 4; edition++) await project.set("dev", { ...components(edition), [`flows/new${edition}`]: body(0) });
      expect(await faultsOf(store)).toEqual([]);
      const planted = { path, ...newestDelta(path) };
      damage(planted);
      const faults = await faultsOf(store);
      expect(
        faults.some((fault) => told.test(fault)),
        faults.join("\n"),
      ).toBe(true);
      expect(faults.some((fault) => fault.startsWith(`object ${planted.hash} `))).toBe(true);
    });
  });

  function newestDelta(path: string): Omit<Planted, "path"> {
    const db = new Database(path, { readonly: true });
    const rows = "SELECT o.id, o.base, hex(o.hash) AS hash FROM object o JOIN partition p ON p.id = o.partition";
    const row = db
      .prepare(`${rows} WHERE p.name = ? AND base IN (SELECT id FROM object WHERE base IS NULL) ORDER BY o.id DESC LIMIT 1`)
      .get(PROJECT) as Omit<Planted, "path">;
    db.close();
    return { ...row, hash: row.hash.toLowerCase() };
  }
});
