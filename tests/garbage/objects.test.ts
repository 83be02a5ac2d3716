import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Change, CommitResult, Hash, JsonObject, Store } from "../../src/ports.ts";
import { caller, document, documents, domainOn, headOf, PROJECT, Project, tamper, wrapped } from "../domain/support.ts";
import {
  collect,
  DAY,
  faultsOf,
  HOUR,
  litter,
  long,
  neededHashes,
  openPlace,
  type Place,
  putObjectsOf,
  stepped,
  storedHashes,
} from "./support.ts";

describe("collecting objects", () => {
  test("takes what nothing refers to once it is a day old, and nothing younger", async () => {
    const place = await openPlace();
    await place.project.create("staging");
    await place.project.set("staging", { "flows/a": long("a") });
    const old = await litter(place.store, 3);
    expect(await collect(place)).toMatchObject({ objects: 0 });
    place.clock.time += LIMITS.garbageAgeMs - 1;
    expect(await collect(place)).toMatchObject({ objects: 0 });
    const young = await litter(place.store, 1);
    place.clock.time += 2;
    expect(await collect(place)).toMatchObject({ objects: 3 });
    const left = await storedHashes(place.store);
    expect(old.some((hash) => left.has(hash))).toBe(false);
    expect(young.every((hash) => left.has(hash))).toBe(true);
    expect(await faultsOf(place.store)).toEqual([]);
  });

  test("leaves an object that was put again", async () => {
    const place = await openPlace();
    await place.project.create("staging");
    const [hash] = (await litter(place.store, 1)) as [Hash];
    const [stored] = await place.store.objects.get(PROJECT, [hash]);
    place.clock.time += LIMITS.garbageAgeMs - HOUR;
    await place.store.objects.put(PROJECT, [{ hash, data: stored as Uint8Array }]);
    place.clock.time += 2 * HOUR;
    expect(await collect(place)).toMatchObject({ objects: 0 });
  });

  test("deletes in batches, and changes gc/epoch with each", async () => {
    const place = await openPlace();
    await place.project.create("staging");
    await litter(place.store, 2 * LIMITS.garbageBatch + 1);
    place.clock.time += 2 * DAY;
    const deleted: number[] = [];
    const counted = wrapped(place.store, {
      commit: (partition, change) => {
        if (change.objectDeletes.length > 0) {
          expect(change.puts.map(({ key }) => key)).toEqual([keys.gcEpoch]);
          expect(change.checks.map(({ key }) => key)).toEqual([keys.project, keys.gcEpoch]);
          deleted.push(change.objectDeletes.length);
        }
        return place.store.commit(partition, change);
      },
    });
    expect(await collect({ ...place, store: counted })).toMatchObject({ objects: 2 * LIMITS.garbageBatch + 1 });
    expect(deleted).toEqual([LIMITS.garbageBatch, LIMITS.garbageBatch, 1]);
  });

  test("runs once in a while, whoever asks", async () => {
    const place = await openPlace();
    await place.project.create("staging");
    await litter(place.store, 1);
    const run = () => domainOn(place.store, place.vault).garbage.collect(PROJECT);
    place.clock.time += 2 * DAY;
    expect((await Promise.all([run(), run(), run()])).map(({ objects }) => objects).sort()).toEqual([0, 0, 1]);
    await litter(place.store, 1);
    place.clock.time += LIMITS.garbageEveryMs - 1;
    expect(await run()).toMatchObject({ objects: 0 });
    place.clock.time += 2 * DAY;
    expect(await run()).toMatchObject({ objects: 1 });
    // A clock that was set back by more says nothing of when the last run was.
    place.clock.time -= 3 * DAY;
    await run();
    expect(await document(place.store, keys.gcRun)).toEqual({ at: new Date(place.clock.time).toISOString() });
  });

  test("finds nothing to do in a project that never came to be", async () => {
    const place = await openPlace();
    expect(await collect(place)).toEqual({ objects: 0, answers: 0, secrets: 0, environments: 0 });
  });

  test("takes nothing where an object that is needed is missing", async () => {
    const place = await openPlace();
    await place.project.create("staging");
    await place.project.set("staging", { "flows/a": long("a") });
    const [useless] = (await litter(place.store, 1)) as [Hash];
    const { platform } = await headOf(place.store, "staging");
    await place.store.commit(PROJECT, { checks: [], puts: [], deletes: [], objects: [], objectDeletes: [platform] });
    place.clock.time += 2 * DAY;
    await expect(collect(place)).rejects.toThrow(`object ${platform}`);
    expect(await storedHashes(place.store)).toContain(useless);
  });

  test("takes nothing where the record of what came meanwhile is missing", async () => {
    const place = await openPlace();
    await place.project.create("staging");
    const [useless] = (await litter(place.store, 1)) as [Hash];
    place.clock.time += 2 * DAY;
    const lists = wrapped(place.store, {
      list: async (partition, range) => {
        if (range.prefix === keys.labelPrefix) {
          const { records } = await place.project.domain.audit.verify(PROJECT, null);
          await place.project.set("staging", { "flows/b": long("b") });
          await tamper(place.store, { remove: [keys.audit(records + 1)] });
        }
        return place.store.list(partition, range);
      },
    });
    await expect(collect({ ...place, store: lists })).rejects.toThrow(/audit record \d+ of pf-777 is missing/);
    expect(await storedHashes(place.store)).toContain(useless);
  });
});

describe("what is reachable", () => {
  const names = fc.constantFrom("flows/a", "flows/b", "entities/Order", "pages/home");
  const texts = fc.constantFrom("one", "two", "three");
  const envs = fc.constantFrom("dev", "staging");
  interface Act {
    readonly name: string;
    readonly run: (place: Place) => Promise<unknown>;
  }
  const act = fc.oneof<fc.Arbitrary<Act>[]>(
    fc.record({ env: envs, name: names, text: texts }).map(({ env, name, text }) => ({
      name: `set ${name} of ${env} to ${text}`,
      run: ({ project }) => project.set(env, { [name]: long(text) }),
    })),
    fc.record({ env: envs, name: names }).map(({ env, name }) => ({
      name: `remove ${name} of ${env}`,
      run: ({ project }) => project.remove(env, name),
    })),
    fc.record({ env: envs, text: texts }).map(({ env, text }) => ({
      name: `set a var of ${env} to ${text}`,
      run: ({ project }) => project.configure(env, { vars: { REGION: text.repeat(30) } }),
    })),
    fc.record({ env: envs, text: texts }).map(({ env, text }) => ({
      name: `set a secret of ${env}`,
      run: ({ project }) => project.configure(env, { secrets: { API_KEY: text } }),
    })),
    fc.constant({ name: "promote", run: ({ project }) => project.promote("dev", "staging", { strategy: "replace" }) }),
    fc.record({ env: envs, to: fc.integer({ min: 1, max: 8 }) }).map(({ env, to }) => ({
      name: `roll ${env} back to ${to}`,
      run: ({ project }) => project.rollback(env, to),
    })),
    fc.constant({ name: "litter", run: ({ store }) => litter(store, 2) }),
    fc.constantFrom(HOUR, 20 * HOUR, 30 * DAY).map((ms) => ({
      name: `wait ${ms / HOUR} hours`,
      run: async ({ clock }) => {
        clock.time += ms;
      },
    })),
    fc.constant({ name: "collect", run: collect }),
  );

  test("is never taken, and everything else is in the end, whatever was done before", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 40 }), async (acts) => {
        const place = await openPlace();
        await place.project.create("dev");
        await place.project.create("staging");
        for (const { name, run } of acts) {
          await run(place).catch((error: unknown) => {
            // Removing what is not there, a rollback to what is not there yet.
            expect((error as { code?: string }).code, `${name}: ${String(error)}`).toBeDefined();
          });
          if (name === "collect") expect(await faultsOf(place.store)).toEqual([]);
        }
        place.clock.time += 2 * DAY;
        await collect(place);
        expect(await faultsOf(place.store)).toEqual([]);
        expect(await storedHashes(place.store)).toEqual(await neededHashes(place.store));
      }),
      { numRuns: process.env["ENV_MANAGER_TEST_LONG"] === undefined ? 40 : 2_000 },
    );
  });
});

/** A project in which all objects of `after` lie about, old and needed by nothing. */
async function withOldObjectsOf(after: (project: Project) => Promise<unknown>): Promise<Place> {
  const begin = async (place: Place) => {
    await place.project.create("staging");
    await place.project.set("staging", { "flows/a": long("first"), "pages/home": long("home") });
    return place;
  };
  const place = await begin(await openPlace());
  const twin = await begin(await openPlace());
  await after(twin.project);
  await putObjectsOf(twin.store, place.store);
  await litter(place.store, 2);
  place.clock.time += 2 * DAY;
  return place;
}

/** Counts the commits that a writer lost, and how often it began. */
function racing(inner: Store): { readonly store: Store; readonly lost: () => number } {
  let lost = 0;
  const commit = async (partition: string, change: Change): Promise<CommitResult> => {
    const result = await inner.commit(partition, change);
    if (partition === PROJECT && !result.ok) lost++;
    return result;
  };
  return { store: wrapped(inner, { commit }), lost: () => lost };
}

describe("a collector beside a writer that makes the content of old objects anew", () => {
  /** More than half a commit: its objects are put ahead of the commit. */
  const large: JsonObject = Object.fromEntries(
    ["a", "b", "c", "d", "e"].map((name) => [`flows/${name}`, { text: name.repeat(1_000_000) }]),
  );
  const writes: Readonly<Record<string, { content: JsonObject; write: (project: Project) => Promise<unknown> }>> = {
    edit: { content: { "flows/a": long("second") }, write: (project) => project.set("staging", { "flows/a": long("second") }) },
    "large edit": { content: large, write: (project) => project.set("staging", large) },
  };

  test.each(Object.entries(writes))(
    "loses or stops it wherever the collector runs between two of its steps (%s)",
    async (_name, { content, write }) => {
      let lost = 0;
      for (let at = 1; ; at++) {
        const place = await withOldObjectsOf(write);
        const steps = stepped(place.store, async (call) => {
          if (call === at) await collect(place);
        });
        const writer = racing(steps.store);
        await write(new Project(domainOn(writer.store, place.vault)));
        lost += writer.lost();
        await expectWritten(place, content);
        if (steps.calls() < at) break;
      }
      expect(lost).toBeGreaterThan(0);
    },
  );

  test.each(Object.entries(writes))(
    "is stopped or obeyed wherever the writer runs between two of the collector's steps (%s)",
    async (_name, { content, write }) => {
      let taken = 0;
      for (let at = 1; ; at++) {
        const place = await withOldObjectsOf(write);
        const steps = stepped(place.store, async (call) => {
          if (call === at) await write(new Project(domainOn(place.store, place.vault)));
        });
        taken += (await collect({ ...place, store: steps.store })).objects;
        if (steps.calls() < at) break;
        await expectWritten(place, content);
      }
      expect(taken).toBeGreaterThan(0);
    },
  );

  test("both at once, many times, with several instances", async () => {
    const place = await withOldObjectsOf((project) => project.set("staging", { "flows/a": long("second") }));
    const slow = stepped(place.store, () => new Promise((resolve) => setTimeout(resolve, Math.random() * 2)));
    const writers = Array.from(
      { length: 3 },
      (_, index) => new Project(domainOn(slow.store, place.vault), { as: caller(`writer-${index}`) }),
    );
    const writing = writers.map(async (project, index) => {
      for (let round = 0; round < 12; round++) {
        await project.set("staging", { [`flows/${"abc"[index]}`]: long(`${round % 3}`) });
        if (round % 4 === 3) await project.rollback("staging", 2);
        await litter(place.store, 1);
        // From here on all that is not needed is old.
        place.clock.time += 2 * DAY;
      }
    });
    let busy = true;
    const collecting = Array.from({ length: 2 }, async () => {
      while (busy) await collect({ ...place, store: slow.store });
    });
    const outcomes = await Promise.allSettled(writing);
    busy = false;
    await Promise.all(collecting);
    // Three instances without a common queue may wear each other out; nothing else may go wrong.
    for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "write_conflict" });
    expect(await faultsOf(place.store)).toEqual([]);
    place.clock.time += 2 * DAY;
    await collect(place);
    expect(await storedHashes(place.store)).toEqual(await neededHashes(place.store));
  });

  /** The store is whole, and what was written can be read by an engine that has nothing cached. */
  async function expectWritten(place: Place, content: JsonObject): Promise<void> {
    expect(await faultsOf(place.store)).toEqual([]);
    const state = (await new Project(domainOn(place.store, place.vault)).state("staging")) as Record<string, JsonObject>;
    for (const [name, value] of Object.entries(content)) {
      const [collection = "", component = ""] = name.split("/");
      expect(state[collection]?.[component]).toEqual(value);
    }
  }
});

describe("answers to repeated requests", () => {
  const once = (project: Project, id: string) =>
    project.as({ ...caller("ann"), once: { id, content: "c".repeat(64) } }).set("staging", { "flows/a": long(id) });
  const answers = async (store: Store) => (await documents(store, PROJECT, keys.oncePrefix)).map(({ key }) => key);

  test("go after a day, and not before", async () => {
    const place = await openPlace();
    await place.project.create("staging");
    await once(place.project, "first");
    place.clock.time += LIMITS.onceMs - 1;
    await once(place.project, "second");
    expect(await collect(place)).toMatchObject({ answers: 0 });
    place.clock.time += 1;
    expect(await collect(place)).toMatchObject({ answers: 1 });
    expect(await answers(place.store)).toEqual([keys.once("second")]);
  });

  test("stay where the same key came again meanwhile", async () => {
    for (let at = 1; ; at++) {
      const place = await openPlace();
      await place.project.create("staging");
      await once(place.project, "key");
      await place.project.set("staging", { "flows/a": long("other") });
      place.clock.time += LIMITS.onceMs;
      const steps = stepped(place.store, async (call) => {
        if (call === at) await once(place.project, "key");
      });
      await collect({ ...place, store: steps.store });
      if (steps.calls() < at) break;
      expect(await answers(place.store)).toEqual([keys.once("key")]);
    }
  });
});
