import { describe, expect, test } from "vitest";
import type { Store } from "../../src/ports.ts";
import { projectPartition, REGISTRY, VAULT_PARTITION } from "../../src/vault/documents.ts";
import { abandonRotation, readRotation, rotateMasterKey } from "../../src/vault/rotation.ts";
import { entry, Killed, killedAt, memoryStore, newKey, openWith, readDocument, type TestKey, writeDocument } from "./support.ts";

const PROJECTS = ["alpha", "beta", "gamma"];

async function filled(key: TestKey): Promise<{ store: Store; prints: string[] }> {
  const store = await memoryStore();
  const vault = await openWith(store, key);
  for (const project of PROJECTS) await vault.put(entry({ project }), `value of ${project}`);
  return { store, prints: await Promise.all(PROJECTS.map((project) => vault.fingerprint(project, "same"))) };
}

async function expectReadable(store: Store, key: TestKey, prints: readonly string[]): Promise<void> {
  const vault = await openWith(store, key);
  for (const project of PROJECTS) expect(await vault.get(entry({ project }))).toBe(`value of ${project}`);
  expect(await Promise.all(PROJECTS.map((project) => vault.fingerprint(project, "same")))).toEqual(prints);
}

async function opensWith(store: Store, key: TestKey): Promise<boolean> {
  return openWith(store, key).then(
    () => true,
    () => false,
  );
}

async function wrappingIds(store: Store, project: string): Promise<string[]> {
  return Object.keys(await readDocument(store, projectPartition(project), "key"));
}

/** Stops a rotation at its nth commit. */
async function interrupt(store: Store, from: TestKey, to: TestKey, nth: number, moment: "before" | "after" = "after"): Promise<boolean> {
  const mortal = killedAt(store, nth, moment);
  try {
    await rotateMasterKey({ store: mortal.store, oldKey: from.key, newKey: to.key });
    return false;
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
    return true;
  }
}

describe("rotating the master key", () => {
  test("leaves values and fingerprints as they were, and the old key useless", async () => {
    const [from, to] = [newKey(), newKey()];
    const { store, prints } = await filled(from);
    const phases: string[] = [];
    const onProgress = (phase: string, done: number) => void phases.push(`${phase} ${done}`);
    expect(await rotateMasterKey({ store, oldKey: from.key, newKey: to.key, onProgress })).toEqual({ projects: 3 });
    expect(phases).toEqual(["wrapping", "both", "pruning"].flatMap((phase) => [1, 2, 3].map((done) => `${phase} ${done}`)));
    await expectReadable(store, to, prints);
    expect(await opensWith(store, from)).toBe(false);
    for (const project of PROJECTS) expect(await wrappingIds(store, project)).toEqual([to.key.id]);
    expect(await readRotation(store)).toBeNull();
  });

  test("changes nothing when it is asked for again", async () => {
    const [from, to] = [newKey(), newKey()];
    const { store, prints } = await filled(from);
    await rotateMasterKey({ store, oldKey: from.key, newKey: to.key });
    const before = await store.revision([VAULT_PARTITION, ...PROJECTS.map(projectPartition)]);
    expect(await rotateMasterKey({ store, oldKey: from.key, newKey: to.key })).toEqual({ projects: 3 });
    expect(await store.revision([VAULT_PARTITION, ...PROJECTS.map(projectPartition)])).toEqual(before);
    await expectReadable(store, to, prints);
  });

  test("goes on after a kill before or after any of its commits, and whichever key the store takes opens everything", async () => {
    let kills = 0;
    for (const moment of ["before", "after"] as const) {
      for (let nth = 1; ; nth += 1) {
        const [from, to] = [newKey(), newKey()];
        const { store, prints } = await filled(from);
        if (!(await interrupt(store, from, to, nth, moment))) break;
        kills += 1;
        const usable = (await Promise.all([from, to].map(async (key) => ((await opensWith(store, key)) ? [key] : [])))).flat();
        expect(usable.length).toBeGreaterThan(0);
        for (const key of usable) await expectReadable(store, key, prints);

        // Killed at the same place once more, then let through.
        await interrupt(store, from, to, nth, moment);
        await rotateMasterKey({ store, oldKey: from.key, newKey: to.key });
        await expectReadable(store, to, prints);
        expect(await opensWith(store, from)).toBe(false);
        for (const project of PROJECTS) expect(await wrappingIds(store, project)).toEqual([to.key.id]);
        expect(await readRotation(store)).toBeNull();
      }
    }
    // Begin, three wrappings, either key, new key, three prunings, end: each before and after.
    expect(kills).toBe(20);
  });

  test("calls beforeSwitch when either key opens everything, and can be finished with the new key alone from there", async () => {
    const [from, to] = [newKey(), newKey()];
    const { store, prints } = await filled(from);
    const beforeSwitch = async () => {
      await expectReadable(store, from, prints);
      await expectReadable(store, to, prints);
      throw new Killed();
    };
    await expect(rotateMasterKey({ store, oldKey: from.key, newKey: to.key, beforeSwitch })).rejects.toBeInstanceOf(Killed);
    expect((await openWith(store, to)).rotationUnfinished).toBe(true);
    await rotateMasterKey({ store, oldKey: null, newKey: to.key });
    await expectReadable(store, to, prints);
    expect((await openWith(store, to)).rotationUnfinished).toBe(false);
  });

  test("says so where both keys are needed and only the new one is given, to itself and to an engine", async () => {
    const [from, to] = [newKey(), newKey()];
    const { store, prints } = await filled(from);
    await interrupt(store, from, to, 2);
    await expect(openWith(store, to)).rejects.toMatchObject({ code: "vault_unavailable", fix: expect.stringContaining("vault:rotate") });
    await expect(rotateMasterKey({ store, oldKey: null, newKey: to.key })).rejects.toMatchObject({
      code: "vault_unavailable",
      fix: expect.stringContaining("ENV_MANAGER_NEW_MASTER_KEY"),
    });
    await expectReadable(store, from, prints);
  });

  test("refuses a wrong old key, an unchanged key, another new key half-way, and a store without a vault", async () => {
    const [from, to, other] = [newKey(), newKey(), newKey()];
    const { store, prints } = await filled(from);
    const refused = { code: "vault_unavailable" };
    await expect(rotateMasterKey({ store, oldKey: other.key, newKey: to.key })).rejects.toMatchObject(refused);
    await expect(rotateMasterKey({ store, oldKey: from.key, newKey: from.key })).rejects.toMatchObject(refused);
    await expect(rotateMasterKey({ store: await memoryStore(), oldKey: from.key, newKey: to.key })).rejects.toMatchObject(refused);
    expect(await readRotation(store)).toBeNull();
    await interrupt(store, from, to, 3);
    await expect(rotateMasterKey({ store, oldKey: from.key, newKey: other.key })).rejects.toMatchObject(refused);
    await expectReadable(store, from, prints);
  });

  test("works while engines with either key put secrets into new projects: what was acknowledged stays readable", async () => {
    for (let round = 0; round < 20; round += 1) {
      const [from, to] = [newKey(), newKey()];
      const { store, prints } = await filled(from);
      const acknowledged: string[] = [];
      const engine = async (key: TestKey, name: string) => {
        const vault = await openWith(store, key).catch(() => null);
        for (let index = 0; vault !== null && index < 15; index += 1) {
          const project = `${name}-${index}`;
          const put = vault.put(entry({ project }), `value of ${project}`);
          await put
            .then(() => acknowledged.push(project))
            .catch((error: unknown) => expect(error).toMatchObject({ code: "vault_unavailable" }));
        }
      };
      const rotating = rotateMasterKey({ store, oldKey: from.key, newKey: to.key });
      await Promise.all([rotating, engine(from, "old"), engine(from, "old2"), rotating.then(() => engine(to, "new"))]);
      await expectReadable(store, to, prints);
      const vault = await openWith(store, to);
      for (const project of acknowledged) expect(await vault.get(entry({ project }))).toBe(`value of ${project}`);
      expect(acknowledged.length).toBeGreaterThanOrEqual(15);
    }
  });

  test("lets two run at once towards the same key", async () => {
    const [from, to] = [newKey(), newKey()];
    const { store, prints } = await filled(from);
    await Promise.all([1, 2, 3].map(() => rotateMasterKey({ store, oldKey: from.key, newKey: to.key })));
    await expectReadable(store, to, prints);
    expect(await readRotation(store)).toBeNull();
  });

  test("gives a project that was registered and then killed a key, so that no engine can add one for the old key", async () => {
    const [from, to] = [newKey(), newKey()];
    const { store, prints } = await filled(from);
    // Its first commit registers the project, the second one would have made its key.
    const mortal = killedAt(store, 1, "after");
    const vault = await openWith(mortal.store, from);
    await expect(vault.put(entry({ project: "delta" }), "never arrived")).rejects.toBeInstanceOf(Killed);
    await rotateMasterKey({ store, oldKey: from.key, newKey: to.key });
    expect(await wrappingIds(store, "delta")).toEqual([to.key.id]);
    await expectReadable(store, to, prints);
    expect(await (await openWith(store, to)).get(entry({ project: "delta" }))).toBeNull();
  });

  test("tells an engine that ran through it with the old key to restart, and adds nothing for the old key", async () => {
    const [from, to] = [newKey(), newKey()];
    const { store } = await filled(from);
    const stale = await openWith(store, from);
    expect(await stale.get(entry({ project: "alpha" }))).toBe("value of alpha");
    await rotateMasterKey({ store, oldKey: from.key, newKey: to.key });
    expect(await stale.get(entry({ project: "alpha" }))).toBe("value of alpha");
    const restart = { code: "vault_unavailable", fix: expect.stringContaining("Restart") };
    await expect(stale.get(entry({ project: "beta" }))).rejects.toMatchObject(restart);
    await expect(stale.put(entry({ project: "new" }), "value")).rejects.toMatchObject(restart);
    expect(await store.revision([projectPartition("new")])).toEqual([0]);
  });

  test("does not drop a wrapping where the other one is damaged", async () => {
    const [from, to] = [newKey(), newKey()];
    const { store } = await filled(from);
    await interrupt(store, from, to, 3);
    const wrappings = await readDocument(store, projectPartition("alpha"), "key");
    const foreign = await readDocument(store, projectPartition("beta"), "key");
    await writeDocument(store, projectPartition("alpha"), "key", { ...wrappings, [to.key.id]: foreign[to.key.id]! });
    await expect(rotateMasterKey({ store, oldKey: from.key, newKey: to.key })).rejects.toMatchObject({ code: "vault_unavailable" });
    expect(await wrappingIds(store, "alpha")).toContain(from.key.id);
    expect(await (await openWith(store, from)).get(entry({ project: "alpha" }))).toBe("value of alpha");
  });
});

describe("taking a rotation back", () => {
  test("leaves the old key alone, and a later rotation clears what is left of the lost one", async () => {
    const [from, lost, to] = [newKey(), newKey(), newKey()];
    const { store, prints } = await filled(from);
    await interrupt(store, from, lost, 3);
    await abandonRotation(store, from.key);
    await expectReadable(store, from, prints);
    expect(await opensWith(store, lost)).toBe(false);
    await rotateMasterKey({ store, oldKey: from.key, newKey: to.key });
    await expectReadable(store, to, prints);
    for (const project of PROJECTS) expect(await wrappingIds(store, project)).toEqual([to.key.id]);
  });

  test("is refused without a rotation, with the new key, after the switch, and where the new key is in use", async () => {
    const [from, to] = [newKey(), newKey()];
    const { store, prints } = await filled(from);
    const refused = { code: "vault_unavailable", message: expect.stringContaining("too far") };
    await expect(abandonRotation(store, from.key)).rejects.toMatchObject({ message: expect.stringContaining("No rotation") });
    await interrupt(store, from, to, 5);
    await expect(abandonRotation(store, to.key)).rejects.toMatchObject(refused);
    await (await openWith(store, to)).put(entry({ project: "delta" }), "sealed by the new key alone");
    await expect(abandonRotation(store, from.key)).rejects.toMatchObject(refused);
    await interrupt(store, from, to, 1);
    await expect(abandonRotation(store, from.key)).rejects.toMatchObject(refused);
    await rotateMasterKey({ store, oldKey: from.key, newKey: to.key });
    await expectReadable(store, to, prints);
    expect(await (await openWith(store, to)).get(entry({ project: "delta" }))).toBe("sealed by the new key alone");
    expect(await readDocument(store, VAULT_PARTITION, REGISTRY)).toEqual({ last: "delta" });
  });
});
