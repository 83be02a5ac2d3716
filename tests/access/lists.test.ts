import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import type { Grant } from "../../src/access.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Json } from "../../src/ports.ts";
import { caller, document, documents, PROJECT, Project } from "../domain/support.ts";
import { type Access, grant, openAccess, putAll, ROOT, type Served, serveTo } from "./support.ts";

/** Lists leave out what a token may not see, and leave out nothing else. */

let world: Access;
let served: Served;

beforeEach(async () => {
  world = await openAccess();
  served = await serveTo(world.domain);
});

async function tokenFor(who: Grant): Promise<string> {
  return (await world.domain.tokens.create(ROOT, { name: "limited", ...who })).token;
}

interface Walked {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  /** Everything that was sent. */
  readonly text: string;
}

/** All pages of a list, each as the one before it led to it. */
async function walk(token: string, path: string, limit: number): Promise<Walked> {
  const items: Readonly<Record<string, unknown>>[] = [];
  let text = "";
  let cursor: unknown = null;
  for (let pages = 0; pages < 2_000; pages++) {
    const next = cursor === null ? "" : `&cursor=${encodeURIComponent(String(cursor))}`;
    const answer = await served.as(token, `${path}${path.includes("?") ? "&" : "?"}limit=${limit}${next}`);
    expect(answer.status, answer.text).toBe(200);
    const page = answer.body as unknown as { readonly items: Walked["items"]; readonly next_cursor: string | null };
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    text += answer.text;
    cursor = page.next_cursor;
    if (cursor === null) return { items, text };
  }
  throw new Error(`${path} does not end.`);
}

const namesIn = ({ items }: Walked, member: string): string[] => items.map((item) => String(item[member]));

describe("of one project's environments", () => {
  /** More than one page looks at. */
  const HIDDEN = LIMITS.listEntries + 500;

  /** Three that may be seen, and so many others before, between and after them: heads like theirs. */
  async function crowd(): Promise<void> {
    for (const env of ["aa-1", "mm-seen-1", "mm-seen-2", "zz-seen"]) await world.project.create(env);
    const head = await document<Readonly<Record<string, Json>>>(world.store, keys.environment("aa-1"));
    const names = Array.from({ length: HIDDEN - 4 }, (_, index) => `${["bb", "mm", "zz"][index % 3]}-${String(index).padStart(5, "0")}`);
    await putAll(
      world.store,
      PROJECT,
      names.map((env) => ({ key: keys.environment(env), value: { ...head, env } })),
    );
  }

  beforeEach(crowd);

  test.each<readonly [string, readonly string[], readonly string[]]>([
    ["by a pattern", ["mm-s*", "*-seen"], ["mm-seen-1", "mm-seen-2", "zz-seen"]],
    ["by their names", ["mm-seen-1", "mm-seen-2", "zz-seen"], ["mm-seen-1", "mm-seen-2", "zz-seen"]],
    ["by names and a pattern", ["zz-seen", "mm-seen-*"], ["mm-seen-1", "mm-seen-2", "zz-seen"]],
    ["by names of which some do not exist yet", ["mm-seen-1", "mm-none", "aaaa", "zzzz"], ["mm-seen-1"]],
    ["by a name that is given twice", ["zz-seen", "zz-seen", "aa-1"], ["aa-1", "zz-seen"]],
  ])("whoever sees a few of ten thousand, %s, is shown all of them and no other", async (_how, envs, seen) => {
    const token = await tokenFor(grant("reader", [PROJECT], envs));
    for (const limit of [1, 2, 100, LIMITS.pageItems]) {
      const walked = await walk(token, `/env/${PROJECT}`, limit);
      expect(namesIn(walked, "env")).toEqual(seen);
    }
  });

  test("whoever sees them by name is not led through the others", async () => {
    const token = await tokenFor(grant("reader", [PROJECT], ["mm-seen-1", "zz-seen"]));
    const { body } = await served.as(token, `/env/${PROJECT}?limit=2`);
    expect(body).toMatchObject({ items: [{ env: "mm-seen-1" }, { env: "zz-seen" }], next_cursor: null });
  });

  test("whoever sees all of them is shown all of them", async () => {
    const token = await tokenFor(grant("reader", [PROJECT]));
    const walked = namesIn(await walk(token, `/env/${PROJECT}`, LIMITS.pageItems), "env");
    expect(walked).toHaveLength(HIDDEN);
    expect(walked).toEqual([...walked].sort());
    expect(new Set(walked).size).toBe(HIDDEN);
  });

  test("no page tells the name of one that is hidden, as its cursor either", async () => {
    const token = await tokenFor(grant("reader", [PROJECT], ["mm-s*", "*-seen"]));
    const { text } = await walk(token, `/env/${PROJECT}`, 100);
    expect(text).not.toMatch(/"(bb|mm|zz)-\d{5}"/);
  });
});

describe("a cursor is no id of what the reader may not see, though a page looks at so many and no more:", () => {
  const HIDDEN = LIMITS.listEntries + 700;
  const hexOf = (index: number) => createHash("sha256").update(String(index)).digest("hex");

  test("tokens", async () => {
    const own = await tokenFor(grant("admin", [PROJECT]));
    const [kept] = await documents(world.store, SYSTEM_PARTITION, systemKeys.tokenPrefix);
    const value = kept?.value as Readonly<Record<string, Json>>;
    const { id } = value;
    const ids = Array.from({ length: HIDDEN }, (_, index) => hexOf(index).slice(0, 16));
    await putAll(
      world.store,
      SYSTEM_PARTITION,
      ids.map((other) => ({ key: systemKeys.token(other), value: { ...value, id: other, sha256: hexOf(0), projects: ["far"] } })),
    );
    for (const limit of [1, 100]) {
      const walked = await walk(own, "/tokens", limit);
      expect(namesIn(walked, "id")).toEqual([id]);
      expect(ids.filter((other) => walked.text.includes(other))).toEqual([]);
      // More than one page: one of them was cut.
      expect(walked.text.match(/"next_cursor":"/g)?.length).toBeGreaterThan(0);
    }
  });

  test("promotions", async () => {
    const { project } = world;
    await project.create("light");
    await project.set("light", { "flows/light": { v: 1 } });
    await project.create("light-too");
    await project.policy({ environments: { "light-too": { approvals: 1 } } });
    const { promotion_id } = await project.promote("light", "light-too");
    const known = await document<Readonly<Record<string, Json>>>(world.store, keys.promotion(promotion_id ?? ""));
    const order = { ...(known["order"] as Readonly<Record<string, Json>>), target: "dark" };
    const ids = Array.from({ length: HIDDEN }, (_, index) => `${index % 2 === 0 ? "0" : "z"}${hexOf(index).slice(0, 18)}`);
    const hidden = ids.map((id) => ({ key: keys.promotion(id), value: { ...known, id, order, status: "rejected" } }));
    for (let from = 0; from < hidden.length; from += 4_000) await putAll(world.store, PROJECT, hidden.slice(from, from + 4_000));
    const token = await tokenFor(grant("reader", [PROJECT], ["light*"]));
    for (const limit of [1, 100]) {
      const walked = await walk(token, `/env/${PROJECT}/promotions`, limit);
      expect(namesIn(walked, "id")).toEqual([promotion_id]);
      expect(ids.filter((id) => walked.text.includes(id))).toEqual([]);
      expect(walked.text.match(/"next_cursor":"/g)?.length).toBeGreaterThan(0);
    }
  });
});

describe("of projects", () => {
  const HIDDEN = 3_000;

  beforeEach(async () => {
    const seen = ["mine-1", "mine-2", "other-mine"];
    for (const id of seen) await new Project(world.domain, { id, as: caller("ann") }).create("staging");
    const record = await document<Readonly<Record<string, Json>>>(world.store, keys.project, "mine-1");
    const names = Array.from({ length: HIDDEN }, (_, index) => `${["aaa", "mine", "zzz"][index % 3]}x${String(index).padStart(5, "0")}`);
    await putAll(
      world.store,
      SYSTEM_PARTITION,
      names.map((name) => ({ key: systemKeys.project(name), value: { by: "ann" } })),
    );
    for (const name of names) await putAll(world.store, name, [{ key: keys.project, value: { ...record, project_id: name } }]);
  });

  test.each<readonly [string, readonly string[], readonly string[]]>([
    ["by a pattern", ["mine-*", "other*"], ["mine-1", "mine-2", "other-mine"]],
    ["by a pattern in the middle of which something is", ["m*-2"], ["mine-2"]],
    ["by names", ["other-mine", "mine-1", "not-yet"], ["mine-1", "other-mine"]],
    ["by a pattern in another case", ["MINE-*"], []],
  ])("whoever reaches a few, %s, is shown those and no other", async (_how, projects, seen) => {
    const token = await tokenFor(grant("reader", projects));
    for (const limit of [1, 2, 100, LIMITS.pageItems]) {
      const walked = await walk(token, "/env", limit);
      expect(namesIn(walked, "project_id")).toEqual(seen);
      expect(walked.text).not.toMatch(/(aaa|mine|zzz)x\d{5}/);
    }
  });

  test("whoever may do nothing but evaluate flags is shown none, though they reach all", async () => {
    const token = await tokenFor(grant("client"));
    expect(await served.as(token, "/env")).toMatchObject({ status: 403 });
  });
});

describe("of one project's history", () => {
  let project: Project;

  /** In `dark`, everything that leaves a trace; in `light`, a little of it, before and after. */
  beforeEach(async () => {
    project = world.project;
    await project.create("light");
    await project.set("light", { "flows/light": { v: 1 } }, { version: "v1.1.0" });
    await project.create("dark", { env_variables: { DARK_VAR: "1", DARK_KEY: "sk-dark" } });
    for (let index = 0; index < 40; index++) await project.set("dark", { [`flows/dark${index}`]: { v: index } }, { bump: "patch" });
    await project.create("dark-too", { base: "dark" });
    await project.policy({ environments: { "dark-too": { approvals: 1 }, "light-too": { approvals: 1 } } });
    await project.set("dark", { "flows/more": { v: 1 } });
    await project.promote("dark", "dark-too");
    // Promotions are listed by when they were asked for.
    world.clock.time += 1;
    await project.set("light", { "flows/light": { v: 2 } }, { version: "v7.0.0" });
    await project.create("light-too", { base: "light" });
    await project.set("light", { "flows/light": { v: 3 } }, { version: "v7.1.0" });
    await project.promote("light", "light-too");
    await project.rollback("dark", 1);
  });

  const LIGHT = grant("reader", [PROJECT], ["light*"]);

  test.each([1, 3, 100])("versions: those that were made where the token may read, %i on a page", async (limit) => {
    const walked = await walk(await tokenFor(LIGHT), `/env/${PROJECT}/versions`, limit);
    expect(namesIn(walked, "env")).toEqual(namesIn(walked, "env").map(() => "light"));
    expect(namesIn(walked, "version").slice(0, 3)).toEqual(["v7.1.0", "v7.0.0", "v1.1.0"]);
    expect(walked.text).not.toContain("dark");
    const all = await walk(await tokenFor(grant("reader")), `/env/${PROJECT}/versions`, limit);
    expect(all.items.filter(({ env }) => env === "light")).toEqual(walked.items);
    expect(all.items.length).toBeGreaterThan(40);
  });

  test("one version: as missing as one that was never made, where it was made out of sight", async () => {
    const token = await tokenFor(LIGHT);
    const dark = await world.domain.environments.view(PROJECT, "dark-too");
    const reply = async (version: string) => {
      const { status, text, headers } = await served.as(token, {
        path: `/env/${PROJECT}/versions/${version}`,
        headers: { "x-request-id": "same" },
      });
      return { status, text: text.replaceAll(version, "<version>"), headers: { ...headers, date: "", "content-length": "" } };
    };
    expect(await reply(dark.version)).toEqual(await reply("v99.0.0"));
    expect(await reply(dark.version)).toMatchObject({ status: 404 });
    expect(await reply("v7.0.0")).toMatchObject({ status: 200 });
  });

  test.each([1, 3, 100])("promotions: those into what the token may read, %i on a page", async (limit) => {
    const walked = await walk(await tokenFor(LIGHT), `/env/${PROJECT}/promotions`, limit);
    expect(namesIn(walked, "target_env")).toEqual(["light-too"]);
    expect(walked.text).not.toContain("dark");
    const all = await walk(await tokenFor(grant("reader")), `/env/${PROJECT}/promotions`, limit);
    expect(namesIn(all, "target_env")).toEqual(["light-too", "dark-too"]);
  });

  test.each([1, 7, 100])("records: of environments that the token may read, %i on a page", async (limit) => {
    const walked = await walk(await tokenFor(LIGHT), `/env/${PROJECT}/audit`, limit);
    expect(new Set(namesIn(walked, "environment"))).toEqual(new Set(["light", "light-too"]));
    expect(walked.text).not.toContain("dark");
    const all = await walk(await tokenFor(grant("reader")), `/env/${PROJECT}/audit`, limit);
    expect(all.items.filter(({ environment }) => String(environment).startsWith("light"))).toEqual(walked.items);
    expect(namesIn(all, "action")).toContain("policy");
    expect(all.items.map(({ seq }) => seq)).toEqual(all.items.map((_, index) => all.items.length - index));
  });

  test("records by a filter show no more: neither of a hidden environment nor of the project as a whole", async () => {
    const token = await tokenFor(LIGHT);
    for (const filter of ["env=dark", "action=policy", "env=dark-too&action=request_promotion", "env=null", "env=*"]) {
      expect((await walk(token, `/env/${PROJECT}/audit?${filter}`, 10)).items, filter).toEqual([]);
    }
    expect((await walk(token, `/env/${PROJECT}/audit?action=request_promotion`, 10)).items).toMatchObject([{ environment: "light-too" }]);
  });

  test("what is of the project as a whole is for whoever may read all of it", async () => {
    const token = await tokenFor(LIGHT);
    for (const path of ["policy", "audit/verify", "audit/export"]) {
      expect(await served.as(token, `/env/${PROJECT}/${path}`), path).toMatchObject({ status: 403, body: { code: "forbidden" } });
    }
    const wide = await tokenFor(grant("reader", [PROJECT]));
    expect((await served.as(wide, `/env/${PROJECT}/audit/export`)).text).toContain('"dark"');
  });

  test("an environment's own history is shown whole, whoever made it", async () => {
    const walked = await walk(await tokenFor(LIGHT), `/env/${PROJECT}/light/revisions`, 2);
    expect(walked.items.map(({ revision }) => revision)).toEqual([4, 3, 2, 1]);
  });
});

test("of tokens: over HTTP, those that reach no further than the token that asks", async () => {
  const token = await tokenFor(grant("admin", ["pf-1"], ["staging", "pr-*"]));
  const make = async (who: Grant, name: string) => (await world.domain.tokens.create(ROOT, { name, ...who })).id;
  const seen = [
    await make(grant("client", ["pf-1"], ["staging"]), "a"),
    await make(grant("admin", ["pf-1"], ["pr-1*"], ["secrets:reveal"]), "b"),
  ];
  for (const who of [
    grant("client"),
    grant("client", ["pf-1"]),
    grant("client", ["pf-2"], ["staging"]),
    grant("client", ["pf-1"], ["pr*"]),
  ]) {
    await make(who, "hidden-one");
  }
  for (const limit of [1, 2, 100]) {
    const walked = await walk(token, "/tokens", limit);
    const own = (await served.as(token, "/session")).body;
    expect(namesIn(walked, "id")).toEqual([...seen, String(own.token_id)].sort());
    expect(walked.text).not.toContain("hidden-one");
    expect(walked.text).not.toContain("sha256");
  }
});
