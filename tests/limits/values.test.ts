import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { PROJECT } from "../domain/support.ts";
import { expectBound, type Served, serveStaging } from "./support.ts";

/** Text of so many bytes, most of them in characters of two. */
const text = (bytes: number): string => "é".repeat(bytes / 2) + "x".repeat(bytes % 2);

function create({ ask }: Served, members: object) {
  return ask({ method: "POST", path: "/env/create", body: { project_id: PROJECT, ...members } });
}

describe("as large as it may be, and larger:", () => {
  test.each([
    ["var", "vars", LIMITS.varBytes],
    ["secret", "secrets", LIMITS.secretBytes],
  ] as const)("a %s, counted in UTF-8", async (_what, kind, bytes) => {
    const served = await serveStaging();
    const set = (size: number) => served.patchConfig({ [kind]: { NAME: text(size) } });
    await expectBound(
      served,
      () => set(bytes),
      () => set(bytes + 1),
      "too_large",
    );
    const variable = (size: number, env: string) =>
      create(served, { new_environment: env, env_variables: { NAME: { value: text(size), secret: kind === "secrets" } } });
    await expectBound(
      served,
      () => variable(bytes, "fits"),
      () => variable(bytes + 1, "does-not"),
      "too_large",
    );
  });

  test("a flag, as canonical JSON", async () => {
    const served = await serveStaging();
    const flag = (note: string) => ({ state: "ENABLED", variants: { on: note }, defaultVariant: "on" });
    const set = (bytes: number) => served.patchConfig({ flags: { beta: flag(text(bytes - Buffer.byteLength(JSON.stringify(flag(""))))) } });
    await expectBound(
      served,
      () => set(LIMITS.flagBytes),
      () => set(LIMITS.flagBytes + 1),
      "too_large",
    );
  });

  test("a component, as canonical JSON", async () => {
    const served = await serveStaging();
    const set = (bytes: number) => served.patchState({ set: { "pages/large": text(bytes - '""'.length) } });
    await expectBound(
      served,
      () => set(LIMITS.componentBytes),
      () => set(LIMITS.componentBytes + 1),
      "too_large",
    );
    const replace = (bytes: number) =>
      served.ask({
        method: "PUT",
        path: `/env/${PROJECT}/staging/state`,
        body: { state: { pages: { large: [text(bytes - '[""]'.length)] } } },
      });
    await expectBound(
      served,
      () => replace(LIMITS.componentBytes),
      () => replace(LIMITS.componentBytes + 1),
      "too_large",
    );
  });

  test("a message", async () => {
    const served = await serveStaging();
    const said = (length: number) => served.patchState({ set: { "pages/a": length }, message: "é".repeat(length) });
    await expectBound(
      served,
      () => said(LIMITS.messageLength),
      () => said(LIMITS.messageLength + 1),
      "invalid_request",
    );
  });

  test("the author of a commit that is pulled", async () => {
    const served = await serveStaging();
    const pull = (length: number) =>
      served.ask({
        method: "POST",
        path: `/env/${PROJECT}/staging/git/pull`,
        body: {
          commit: { id: "a".repeat(40), author: "é".repeat(length), email: "", at: "2026-01-31T12:00:00.000Z", message: "" },
          set: { "pages/pulled": length },
        },
      });
    await expectBound(
      served,
      () => pull(LIMITS.commitAuthorLength),
      () => pull(LIMITS.commitAuthorLength + 1),
      "invalid_request",
    );
  });

  test("a preview's source reference", async () => {
    const served = await serveStaging();
    const preview = (length: number) =>
      create(served, { new_environment: "pr-1", type: "preview", base_from: "staging", source_ref: "#".repeat(length) });
    await expectBound(
      served,
      () => preview(LIMITS.sourceRefLength),
      () => preview(LIMITS.sourceRefLength + 1),
      "invalid_request",
    );
  });

  test("a preview's life", async () => {
    const served = await serveStaging();
    const day = 24 * 60 * 60_000;
    const preview = (days: number) =>
      create(served, { new_environment: `pr-${days}`, type: "preview", base_from: "staging", expires_in: `${days}d` });
    await expectBound(
      served,
      () => preview(LIMITS.previewTtlMs / day),
      () => preview(LIMITS.previewTtlMs / day + 1),
      "invalid_request",
    );
  });

  test("an environment's config, in entries of all kinds together", async () => {
    const served = await serveStaging();
    const vars = Object.fromEntries(Array.from({ length: LIMITS.configEntries - 2 }, (_, index) => [`V${index}`, ""]));
    expect((await served.patchConfig({ vars })).status).toBe(200);
    await expectBound(
      served,
      () => served.patchConfig({ secrets: { ONE: "x" }, flags: { one: true } }),
      () => served.patchConfig({ flags: { two: true } }),
      "too_large",
    );
    const pulled = await served.ask({
      method: "POST",
      path: `/env/${PROJECT}/staging/git/pull`,
      body: { commit: { id: "a".repeat(40), author: "x", email: "x", at: "2026-01-31T12:00:00Z", message: "" }, flags: { two: true } },
    });
    expect(pulled).toMatchObject({ status: 413, body: { code: "too_large" } });
    // What takes the place of something else is no more than there was.
    expect((await served.patchConfig({ flags: { two: true }, unset: ["flags/one"] })).status).toBe(200);
  });
});

test("a revision names as many of its new entities as there is room for, and counts all", async () => {
  const { ask, patchState } = await serveStaging();
  for (const [count, prefix] of [
    [LIMITS.summaryNames, "a"],
    [LIMITS.summaryNames + 1, "b"],
  ] as const) {
    const set = Object.fromEntries(Array.from({ length: count }, (_, index) => [`entities/${prefix}${index}`, {}]));
    expect((await patchState({ set })).status).toBe(200);
    const { items } = (await ask(`/env/${PROJECT}/staging/revisions?limit=1`)).body as {
      items: { changes: { components_added: number; entities_added: string[] } }[];
    };
    expect(items[0]?.changes.components_added).toBe(count);
    expect(items[0]?.changes.entities_added).toHaveLength(LIMITS.summaryNames);
  }
});
