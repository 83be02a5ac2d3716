import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Store } from "../../src/ports.ts";
import { caller, codeOf, domainOn, headOf, Project, watchedVault } from "../domain/support.ts";
import { collect, copyOf, DAY, entriesKnownAndKept, faultsOf, intents, openPlace, type Place, stepped } from "./support.ts";

const WINDOW = LIMITS.rollbackWindowMs;

/** Makes enough revisions that older ones are not among the newest any more. */
async function fillHistory(project: Project, env = "staging"): Promise<void> {
  for (let n = 0; n < LIMITS.rollbackRevisions; n++) await project.configure(env, { vars: { COUNT: String(n) } });
}

/** `API_KEY` was `old` in revision 1 and is `new` since revision 2; a hundred revisions follow. */
function rotated(): Promise<Place> {
  model ??= makeRotated();
  return model.then(copyOf);
}

let model: Promise<Place> | undefined;

async function makeRotated(): Promise<Place> {
  const place = await openPlace();
  await place.project.create("staging", { env_variables: { API_KEY: "old", KEEP_TOKEN: "kept" } });
  await place.project.configure("staging", { secrets: { API_KEY: "new" } });
  await fillHistory(place.project);
  return place;
}

async function expectConsistent(store: Store): Promise<void> {
  const { known, kept } = await entriesKnownAndKept(store);
  expect(kept).toEqual(known);
  expect(await intents(store)).toEqual([]);
  expect(await faultsOf(store)).toEqual([]);
}

describe("superseded secrets", () => {
  test("stay while a rollback within the window may ask for them, and go then", async () => {
    const place = await rotated();
    place.clock.time += WINDOW - 1;
    await place.project.configure("staging", { vars: { REGION: "eu" } });
    expect(await collect(place)).toMatchObject({ secrets: 0 });
    expect(await place.project.rollback("staging", 1, { dry_run: true })).toMatchObject({ status: "planned" });
    place.clock.time += 2;
    expect(await collect(place)).toMatchObject({ secrets: 1 });
    expect((await entriesKnownAndKept(place.store)).kept).toEqual([
      expect.stringMatching(/^staging\/API_KEY@/),
      expect.stringMatching(/^staging\/KEEP_TOKEN@/),
    ]);
    await expectConsistent(place.store);
    expect(await place.project.secrets("staging")).toEqual({ API_KEY: "new", KEEP_TOKEN: "kept" });
    expect(await codeOf(place.project.rollback("staging", 1))).toBe("secret_unavailable");
    await place.project.rollback("staging", 1, { secrets: "keep_current" });
    expect(await place.project.secrets("staging")).toEqual({ API_KEY: "new", KEEP_TOKEN: "kept" });
    expect(await collect(place)).toMatchObject({ secrets: 0 });
    await expectConsistent(place.store);
  });

  test("come back with a rollback within the window, after collections", async () => {
    const place = await rotated();
    place.clock.time += WINDOW / 2;
    await place.project.configure("staging", { secrets: { API_KEY: "newest" } });
    const superseded = await place.project.revisionNumber("staging");
    await fillHistory(place.project);
    place.clock.time += WINDOW / 2 + 1;
    // Revision 1 is out of the window by now; what was head when it began is not.
    expect(await collect(place)).toMatchObject({ secrets: 1 });
    await place.project.rollback("staging", superseded - 1);
    expect(await place.project.secrets("staging")).toMatchObject({ API_KEY: "new" });
    await expectConsistent(place.store);
  });

  test("stay among the newest revisions, however old those are", async () => {
    const place = await openPlace();
    await place.project.create("staging", { env_variables: { API_KEY: "old" } });
    await place.project.configure("staging", { secrets: { API_KEY: "new" } });
    for (let n = 2; n < LIMITS.rollbackRevisions; n++) await place.project.configure("staging", { vars: { COUNT: String(n) } });
    place.clock.time += 10 * WINDOW;
    expect(await collect(place)).toMatchObject({ secrets: 0 });
    await place.project.configure("staging", { vars: { COUNT: "last" } });
    // What was head for these years is what a rollback by time finds: still revision 100, with the new key.
    expect(await collect(place)).toMatchObject({ secrets: 1 });
    await expectConsistent(place.store);
  });

  test("stay where a rollback had brought them back", async () => {
    const place = await rotated();
    await place.project.rollback("staging", 1);
    await fillHistory(place.project);
    place.clock.time += 2 * WINDOW;
    // Not the old one, which is the head's: the new one, which nobody has any more.
    expect(await collect(place)).toMatchObject({ secrets: 1 });
    expect(await place.project.secrets("staging")).toMatchObject({ API_KEY: "old" });
    await expectConsistent(place.store);
  });

  test("of promotions that wait stay, however long they wait", async () => {
    const place = await rotated();
    await place.project.create("production", { base: "staging", secrets: "empty", env_variables: { API_KEY: "prod", KEEP_TOKEN: "prod" } });
    await fillHistory(place.project, "production");
    await place.project.policy({ environments: { production: { approvals: { count: 1, expires_in: "365d" } } } });
    await place.project.set("staging", { "flows/a": {} });
    const asked = await place.project.promote("staging", "production", { env_variables: { API_KEY: "promoted" } });
    expect(asked.status).toBe("pending_approval");
    // Another environment has something to release, so that this one is looked at too.
    place.clock.time += WINDOW + DAY;
    expect(await collect(place)).toMatchObject({ secrets: 1 });
    const boss = place.project.as(caller("boss"));
    await boss.domain.pending.approve(boss.caller, { project: boss.id, id: asked.promotion_id ?? "" });
    expect(await place.project.secrets("production")).toEqual({ API_KEY: "promoted", KEEP_TOKEN: "prod" });
    await expectConsistent(place.store);
  });

  test("are given up in batches", async () => {
    const place = await openPlace();
    const secrets = (value: string) =>
      Object.fromEntries(Array.from({ length: 2 * LIMITS.garbageSecrets + 1 }, (_, n) => [`S${n}`, value]));
    await place.project.create("staging");
    await place.project.configure("staging", { secrets: secrets("old") });
    await place.project.configure("staging", { secrets: secrets("new") });
    await fillHistory(place.project);
    place.clock.time += WINDOW + DAY;
    expect(await collect(place)).toMatchObject({ secrets: 2 * LIMITS.garbageSecrets + 1 });
    await expectConsistent(place.store);
  });
});

describe("a rollback beside the collector of the secrets that it asks for", () => {
  async function rollBack(place: Pick<Place, "store" | "vault">): Promise<"rolled back" | "refused"> {
    const project = new Project(domainOn(place.store, place.vault));
    try {
      await project.rollback("staging", 1);
      return "rolled back";
    } catch (error) {
      expect(error).toMatchObject({ code: "secret_unavailable" });
      return "refused";
    }
  }

  /** Whatever happened, the head's secrets can be read. */
  async function expectReadable(place: Place, outcome: "rolled back" | "refused"): Promise<void> {
    expect(await place.project.secrets("staging")).toMatchObject({ API_KEY: outcome === "refused" ? "new" : "old" });
    await expectConsistent(place.store);
  }

  test("is refused, or keeps them, wherever it comes between two of the collector's steps", async () => {
    const outcomes = new Set<string>();
    for (let at = 1; ; at++) {
      const place = await rotated();
      place.clock.time += WINDOW + DAY;
      let outcome: "rolled back" | "refused" = "refused";
      const steps = stepped(place.store, async (call) => {
        if (call === at) outcome = await rollBack(place);
      });
      // The vault of the collector hears late: between the commit and its delete there is a step too.
      const vault = watchedVault(
        place.vault,
        async ({ call }) => void (call === "delete" && (await steps.store.get(place.project.id, ["x"]))),
      );
      await collect({ store: steps.store, vault });
      if (steps.calls() < at) break;
      outcomes.add(outcome);
      await expectReadable(place, outcome);
    }
    expect([...outcomes].sort()).toEqual(["refused", "rolled back"]);
  });

  test("is refused wherever the collector runs between two of its steps", async () => {
    const outcomes = new Set<string>();
    for (let at = 1; ; at++) {
      const place = await rotated();
      place.clock.time += WINDOW + DAY;
      const steps = stepped(place.store, async (call) => {
        if (call === at) await collect(place);
      });
      const vault = watchedVault(
        place.vault,
        async ({ call }) => void (call === "get" && (await steps.store.get(place.project.id, ["x"]))),
      );
      const outcome = await rollBack({ store: steps.store, vault });
      if (steps.calls() < at) break;
      outcomes.add(outcome);
      await expectReadable(place, outcome);
    }
    expect([...outcomes]).toEqual(["refused"]);
  });

  test("is refused while the vault has not heard yet that they are gone", async () => {
    const place = await rotated();
    place.clock.time += WINDOW + DAY;
    const broken = watchedVault(place.vault, ({ call }) => {
      if (call === "delete") throw new Error("out of reach");
    });
    await expect(collect({ ...place, vault: broken })).rejects.toThrow("out of reach");
    expect(await rollBack(place)).toBe("refused");
    await place.project.domain.sweeper.sweep();
    await expectReadable(place, "refused");
  });
});

test("a collector that dies at any of its steps leaves nothing behind that the next run does not take", async () => {
  class Crash extends Error {}
  for (let at = 1; ; at++) {
    const place = await rotated();
    await place.project.create("gone", { env_variables: { DB_PASSWORD: "x" } });
    await place.project.domain.environments.archive(place.project.caller, { project: place.project.id, env: "gone" });
    place.clock.time += WINDOW + DAY;
    let dead = false;
    const die = () => {
      if (dead) throw new Crash();
    };
    const steps = stepped(place.store, async (call) => {
      if (call >= at) dead = true;
      die();
    });
    const vault = watchedVault(place.vault, die);
    const finished = await collect({ store: steps.store, vault }).then(
      () => true,
      (error: unknown) => {
        // Whoever waits for a commit is told that nobody knows what became of it; why, is the cause.
        expect(error instanceof AppError ? error.cause : error).toBeInstanceOf(Crash);
        return false;
      },
    );
    await place.project.domain.sweeper.sweep();
    await collect(place);
    await expectConsistent(place.store);
    expect((await entriesKnownAndKept(place.store)).kept).toHaveLength(2);
    expect(await place.project.secrets("staging")).toEqual({ API_KEY: "new", KEEP_TOKEN: "kept" });
    if (finished) break;
  }
});

describe("archived environments", () => {
  test("can be brought back with their secrets while they are kept, and lose them then for good", async () => {
    const place = await openPlace();
    const { project } = place;
    const about = { project: project.id, env: "old" };
    await project.create("staging");
    await project.create("old", { env_variables: { API_KEY: "a", REGION: "eu" } });
    await project.configure("old", { secrets: { API_KEY: "b" } });
    const { version } = await project.set("old", { "flows/a": {} });
    await project.domain.environments.archive(project.caller, about);
    place.clock.time += LIMITS.archiveRetentionMs - 1;
    expect(await collect(place)).toMatchObject({ environments: 0, secrets: 0 });
    await project.domain.previews.restore(project.caller, about);
    expect(await project.secrets("old")).toEqual({ API_KEY: "b" });
    await project.domain.environments.archive(project.caller, about);
    place.clock.time += LIMITS.archiveRetentionMs;
    expect(await collect(place)).toMatchObject({ environments: 1, secrets: 2 });
    expect(await entriesKnownAndKept(place.store)).toEqual({ known: [], kept: [] });
    await expectConsistent(place.store);
    expect(await codeOf(project.domain.previews.restore(project.caller, about))).toBe("environment_expired");
    expect(await headOf(place.store, "old")).toMatchObject({ status: "archived", cleared_at: expect.any(String) });
    expect(await project.domain.versions.version(project.caller, project.id, version)).toMatchObject({ env: "old", version });
    expect(await project.domain.audit.verify(project.id, null)).toMatchObject({ valid: true });
    expect(await collect(place)).toMatchObject({ environments: 0, secrets: 0 });
  });

  test("are kept where they are restored while the collector is at work", async () => {
    const outcomes = new Set<string>();
    for (let at = 1; ; at++) {
      const place = await openPlace();
      const about = { project: place.project.id, env: "old" };
      await place.project.create("old", { env_variables: { API_KEY: "a" } });
      await place.project.domain.environments.archive(place.project.caller, about);
      place.clock.time += LIMITS.archiveRetentionMs;
      let outcome = "";
      const steps = stepped(place.store, async (call) => {
        if (call !== at) return;
        outcome = await domainOn(place.store, place.vault)
          .previews.restore(place.project.caller, about)
          .then(
            () => "restored",
            (error: { code: string }) => error.code,
          );
      });
      await collect({ ...place, store: steps.store });
      if (steps.calls() < at) break;
      outcomes.add(outcome);
      await expectConsistent(place.store);
      if (outcome === "restored") expect(await place.project.secrets("old")).toEqual({ API_KEY: "a" });
    }
    expect([...outcomes].sort()).toEqual(["environment_expired", "restored"]);
  });
});

describe("previews", () => {
  test("lose what earlier revisions referred to as well, after their grace time, and may begin anew", async () => {
    const place = await openPlace();
    const { project } = place;
    await project.create("pr-1", { type: "preview", expires_in: "1h", env_variables: { API_KEY: "a" } });
    await project.configure("pr-1", { secrets: { API_KEY: "b" } });
    place.clock.time += 3_600_000;
    await project.domain.sweeper.runDue();
    place.clock.time += LIMITS.previewGraceMs;
    await project.domain.sweeper.runDue();
    await collect(place);
    await project.domain.sweeper.sweep();
    expect(await entriesKnownAndKept(place.store)).toEqual({ known: [], kept: [] });
    await expectConsistent(place.store);
    await project.create("pr-1", { type: "preview", expires_in: "1h", env_variables: { API_KEY: "c" } });
    expect(await project.secrets("pr-1")).toEqual({ API_KEY: "c" });
    await collect(place);
    await expectConsistent(place.store);
    expect(await codeOf(project.rollback("pr-1", 1))).toBe("secret_unavailable");
  });
});
