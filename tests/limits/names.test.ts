import { describe, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { PROJECT } from "../domain/support.ts";
import { expectBound, serveStaging } from "./support.ts";

/** Four bytes of UTF-8, and two characters. */
const ROCKET = "🚀";

describe("a name as long as it may be, and a longer one:", () => {
  test("a project's", async () => {
    const served = await serveStaging();
    const create = (project_id: string) =>
      served.ask({ method: "POST", path: "/env/create", body: { project_id, new_environment: "development" } });
    await expectBound(
      served,
      () => create("p".repeat(64)),
      () => create("p".repeat(65)),
      "invalid_name",
    );
  });

  test("an environment's", async () => {
    const served = await serveStaging();
    const create = (new_environment: string) =>
      served.ask({ method: "POST", path: "/env/create", body: { project_id: PROJECT, new_environment } });
    await expectBound(
      served,
      () => create("e".repeat(63)),
      () => create("e".repeat(64)),
      "invalid_name",
    );
  });

  test("a collection's", async () => {
    const served = await serveStaging();
    const set = (collection: string) => served.patchState({ set: { [`${collection}/x`]: 1 } });
    await expectBound(
      served,
      () => set("c".repeat(64)),
      () => set("c".repeat(65)),
      "invalid_name",
    );
  });

  test.each([
    ["of one byte each", "n"],
    ["of several bytes each", ROCKET],
  ])("a component's, of characters %s", async (_what, character) => {
    const served = await serveStaging();
    const collection = "pages/";
    const name = (bytes: number) => {
      const rest = bytes - collection.length;
      return collection + character.repeat(rest / Buffer.byteLength(character)) + "n".repeat(rest % Buffer.byteLength(character));
    };
    for (const one of [(full: string) => served.patchState({ set: { [full]: 1 } }), (full: string) => put(full)]) {
      await expectBound(
        served,
        () => one(name(LIMITS.componentNameBytes)),
        () => one(name(LIMITS.componentNameBytes + 1)),
        "invalid_name",
      );
    }

    function put(full: string) {
      const state = { pages: { [full.slice(collection.length)]: 2 } };
      return served.ask({ method: "PUT", path: `/env/${PROJECT}/staging/state`, body: { state } });
    }
  });

  test.each([
    ["var", "vars", "x"],
    ["secret", "secrets", "x"],
    ["flag", "flags", true],
  ] as const)("a %s's", async (_what, kind, value) => {
    const served = await serveStaging();
    const set = (length: number) => served.patchConfig({ [kind]: { ["N".repeat(length)]: value } });
    await expectBound(
      served,
      () => set(LIMITS.configNameLength),
      () => set(LIMITS.configNameLength + 1),
      "invalid_name",
    );
  });
});
