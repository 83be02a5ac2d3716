import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { PROJECT } from "../domain/support.ts";
import { expectBound, serveStaging } from "./support.ts";

const LISTS = [
  "/env",
  `/env/${PROJECT}`,
  `/env/${PROJECT}/staging/revisions`,
  `/env/${PROJECT}/versions`,
  `/env/${PROJECT}/promotions`,
  `/env/${PROJECT}/audit`,
  "/tokens",
  "/tokens/audit",
];

describe("a page", () => {
  test.each(LISTS)("of %s: as many items as may be asked for, and one more", async (path) => {
    const served = await serveStaging();
    await expectBound(
      served,
      () => served.ask(`${path}?limit=${LIMITS.pageItems}`),
      () => served.ask(`${path}?limit=${LIMITS.pageItems + 1}`),
      "invalid_request",
    );
  });

  test("has as many items as were asked for, or a usual number; where there is one more, it says how to go on", async () => {
    const { ask, project } = await serveStaging();
    // With the one that `staging` began with, as many revisions as one page holds.
    for (let count = 1; count < LIMITS.pageItems; count++) await project.configure("staging", { vars: { COUNT: String(count) } });
    const page = async (query: string) => {
      const { items, next_cursor } = (await ask(`/env/${PROJECT}/staging/revisions${query}`)).body as { items: []; next_cursor: unknown };
      return { count: items.length, more: next_cursor !== null };
    };
    expect(await page("")).toEqual({ count: LIMITS.pageItemsDefault, more: true });
    expect(await page(`?limit=${LIMITS.pageItems}`)).toEqual({ count: LIMITS.pageItems, more: false });
    await project.configure("staging", { vars: { COUNT: "one more" } });
    expect(await page(`?limit=${LIMITS.pageItems}`)).toEqual({ count: LIMITS.pageItems, more: true });
  });

  test("that nobody asked for a size of ends where the last item is the usual number's last", async () => {
    const { ask, project } = await serveStaging();
    for (let count = 1; count < LIMITS.pageItemsDefault; count++) await project.configure("staging", { vars: { COUNT: String(count) } });
    const { body } = await ask(`/env/${PROJECT}/staging/revisions`);
    expect(body).toMatchObject({ items: { length: LIMITS.pageItemsDefault }, next_cursor: null });
  });
});

describe("of a list of entity tags", () => {
  const path = `/env/${PROJECT}/staging/config`;
  /** So many tags, of which the last is right. */
  const tags = (count: number, right: string) => [...Array.from({ length: count - 1 }, (_, index) => `"${index}"`), right].join(", ");

  test("If-None-Match: as many are looked at as may be, and not one more", async () => {
    const { ask } = await serveStaging();
    const { etag = "" } = (await ask(path)).headers;
    expect((await ask({ path, headers: { "if-none-match": tags(LIMITS.entityTags, etag) } })).status).toBe(304);
    expect((await ask({ path, headers: { "if-none-match": tags(LIMITS.entityTags + 1, etag) } })).status).toBe(200);
  });

  test("If-Match: as many are looked at as may be, and not one more", async () => {
    const served = await serveStaging();
    const set = async (count: number) => {
      const { etag = "" } = (await served.ask(path)).headers;
      return served.ask({ method: "PATCH", path, headers: { "if-match": tags(count, etag) }, body: { vars: { COUNT: String(count) } } });
    };
    await expectBound(
      served,
      () => set(LIMITS.entityTags),
      () => set(LIMITS.entityTags + 1),
      "precondition_failed",
    );
  });
});

test("a request to reveal secrets: as many names as it may have, and one more", async () => {
  const served = await serveStaging();
  await served.project.configure("staging", { secrets: { API_KEY: "sk-0123456789" } });
  const path = `/env/${PROJECT}/staging/secrets/reveal`;
  const reveal = (count: number) => served.ask({ method: "POST", path, body: { names: Array.from({ length: count }, () => "API_KEY") } });
  await expectBound(
    served,
    () => reveal(LIMITS.revealedNames),
    () => reveal(LIMITS.revealedNames + 1),
    "invalid_request",
  );
});

describe("of the faults of a request", () => {
  interface Fault {
    readonly path: string;
  }
  const faultsOf = async (body: object): Promise<Fault[]> => {
    const { patchConfig } = await serveStaging();
    const { details } = (await patchConfig(body)).body as { details: { issues: Fault[] } };
    return details.issues;
  };
  const fields = (count: number, of: unknown) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`field${index}`, of]));

  test.each([
    ["unknown fields", (count: number) => fields(count, 1)],
    ["values of the wrong type", (count: number) => ({ vars: fields(count, 1) })],
  ])("as many are named as may be, and not one more: %s", async (_what, body) => {
    expect(await faultsOf(body(LIMITS.faults))).toHaveLength(LIMITS.faults);
    expect(await faultsOf(body(LIMITS.faults + 1))).toHaveLength(LIMITS.faults);
  });

  test("each is named in full up to a length, and is cut beyond", async () => {
    const name = "n".repeat(LIMITS.faultLength);
    expect((await faultsOf({ [name]: 1 })).map(({ path }) => path)).toEqual([name]);
    expect((await faultsOf({ [`${name}n`]: 1 })).map(({ path }) => path)).toEqual([`${name}…`]);
  });
});
