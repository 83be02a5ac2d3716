// @vitest-environment happy-dom
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { describe, expect, test, vi } from "vitest";
import { packageRoot } from "../../src/package.ts";
import { EnvmError } from "../../src/sdk/errors.ts";
import type { Check, Created, Environment, Revision } from "../../web/src/api.ts";
import { linesOf } from "../../web/src/components/TextDiff.tsx";
import { flagInWords } from "../../web/src/config/Matrix.tsx";
import { originInWords, originsOf } from "../../web/src/config/origins.ts";
import { faultOf } from "../../web/src/faults.ts";
import { lastDays } from "../../web/src/history/ActivityCharts.tsx";
import { recordInWords } from "../../web/src/history/records.ts";
import { readJson, readJsonFile } from "../../web/src/json.ts";
import { countsOf } from "../../web/src/pages/State.tsx";
import { type Diff, hasChanges, reasonOf, sentencesOf, singular, whoClears } from "../../web/src/plan.ts";
import { inOrder, rulesOf } from "../../web/src/policy.ts";
import { longerThan } from "../../web/src/previews/Lifetime.tsx";
import { lastHealthy, type Stay, staysOf } from "../../web/src/stays.ts";
import { ago, lengthOf, timeFor } from "../../web/src/time.ts";
import { useAction } from "../../web/src/useAction.ts";
import { changedWhat, createdInWords, listed, plural, statusOf, worstOf } from "../../web/src/words.ts";
import { projectActions } from "../docs/support.ts";

const none = { count: 0, names: [] };
const diff = (part: Partial<Diff> = {}): Diff => ({
  entities_added: [],
  logic_changed: 0,
  env_updated: [],
  flags_changed: [],
  components: { added: none, changed: none, removed: none },
  ...part,
});
const environment = (part: Partial<Environment> = {}): Environment =>
  ({
    env: "staging",
    type: "staging",
    status: "active",
    sync_status: "in_sync",
    hold: null,
    config_complete: true,
    unbound: [],
    ...part,
  }) as Environment;

describe("what a plan changes, as sentences", () => {
  test("names what it is about, by collection, and counts what it does not name", () => {
    const added = { count: 5, names: ["entities/Order", "entities/Refund", "flows/welcome", "requires/KEY"] };
    const sentences = sentencesOf(diff({ components: { added, changed: none, removed: none }, env_updated: ["KEY"] }));
    expect(sentences.map(({ text }) => text)).toEqual([
      "2 entities new: Order and Refund",
      "1 flow new: welcome",
      "1 more component new",
      "1 value set, changed or newly needed: KEY",
    ]);
  });

  test("agrees in number", () => {
    expect(sentencesOf(diff({ flags_changed: ["dark"] })).map(({ text }) => text)).toEqual(["1 feature flag arrives or changes: dark"]);
    expect(sentencesOf(diff({ flags_changed: ["a", "b"] })).map(({ text }) => text)).toEqual(["2 feature flags arrive or change: a and b"]);
  });

  test("is nothing where nothing changes, whatever the status says", () => {
    expect(hasChanges({ status: "planned", diff_from_previous: diff() })).toBe(false);
    expect(hasChanges({ status: "no_changes", diff_from_previous: diff({ env_updated: ["A"] }) })).toBe(false);
    expect(hasChanges({ status: "planned", diff_from_previous: diff({ flags_changed: ["a"] }) })).toBe(true);
  });

  test.each([
    ["entities", "entity"],
    ["flows", "flow"],
    ["access", "access"],
    ["logic", "logic"],
  ])("one of %s is called %s", (many, one) => expect(singular(many)).toBe(one));
});

describe("an environment's status in words", () => {
  test.each([
    [{ sync_status: "failed", hold: { by: "a", at: "", reason: "" } }, "Deployment failed"],
    [{ config_complete: false, unbound: ["vars/A", "vars/B"] }, "2 values missing"],
    [{ hold: { by: "a", at: "", reason: "" } }, "On hold"],
    [{ status: "expired" }, "Expired"],
    [{}, "Up to date"],
  ] as const)("is the worst of what there is: %o", (part, text) =>
    expect(statusOf(environment(part as Partial<Environment>)).text).toBe(text),
  );

  test("of several is the gravest of those that are active", () => {
    const all = [environment(), environment({ env: "b", sync_status: "failed" }), environment({ env: "c", status: "expired" })];
    expect(worstOf(all)).toMatchObject({ env: "b", text: "Deployment failed" });
    expect(worstOf([])).toBeNull();
  });
});

test("names are listed, and of many the first", () => {
  expect([listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c", "d", "e", "f"])]).toEqual([
    "",
    "a",
    "a and b",
    "a, b, c, d and 2 more",
  ]);
  expect([plural(1, "key"), plural(0, "key"), plural(2, "entry", "entries")]).toEqual(["1 key", "0 keys", "2 entries"]);
});

test("times are told as people tell them", () => {
  const now = Date.parse("2026-01-31T12:00:00Z");
  expect(ago("2026-01-31T11:59:50Z", now)).toBe("just now");
  expect(ago("2026-01-31T09:00:00Z", now)).toBe("3 hours ago");
  expect(ago("2026-02-03T12:00:00Z", now)).toBe("in 3 days");
  expect([lengthOf(1_000), lengthOf(90_000), lengthOf(86_400_000)]).toEqual(["1 second", "2 minutes", "1 day"]);
});

test("what happened since the clock of a page ticked has just happened, and what is ahead stays so", () => {
  const [ticked, now] = ["2026-01-31T12:00:00Z", "2026-01-31T12:00:20Z"].map((at) => Date.parse(at)) as [number, number];
  const told = (at: string) => ago(at, timeFor(at, ticked, now));
  expect(told("2026-01-31T12:00:19Z")).toBe("just now");
  expect(told("2026-01-31T12:00:40Z")).toBe("in a moment");
  expect(told("2026-01-31T11:00:00Z")).toBe("1 hour ago");
});

test("a preview is never extended to an end before the one that it has, unless somebody chooses that", () => {
  const now = Date.parse("2026-01-31T12:00:00Z");
  const in_ = (hours: number) => new Date(now + hours * 3_600_000).toISOString();
  expect([null, in_(5), in_(71)].map((end) => longerThan(end, now))).toEqual(["72h", "72h", "72h"]);
  expect([in_(80), in_(10 * 24), in_(30 * 24)].map((end) => longerThan(end, now))).toEqual(["7d", "14d", "14d"]);
});

test("the last two weeks are fourteen days, also where one of them has 23 hours or 25", () => {
  vi.stubEnv("TZ", "Europe/Berlin");
  for (const now of ["2026-03-30T00:30:00+02:00", "2026-10-26T00:30:00+01:00"]) {
    const days = lastDays(Date.parse(now)).map((day) => new Date(day));
    expect(new Set(days.map((day) => day.toDateString())).size).toBe(14);
    expect(days.map((day) => day.getHours())).toEqual(Array(14).fill(0));
    expect(days.at(-1)?.getTime()).toBeLessThanOrEqual(Date.parse(now));
  }
  vi.unstubAllEnvs();
});

test("a file that says the same in another order changes nothing", () => {
  const before = { pages: { a: { title: "A", fields: [{ x: 1, y: 2 }] }, b: 1 } };
  expect(countsOf(before, { pages: { b: 1, a: { fields: [{ y: 2, x: 1 }], title: "A" } } })).toEqual({ added: 0, changed: 0, removed: 0 });
  expect(countsOf(before, { pages: { a: { title: "A", fields: [] }, c: 1 } })).toEqual({ added: 1, changed: 1, removed: 1 });
});

test("a difference of thousands of lines is not looked for: the page would stand still for as long as it took", () => {
  const body = (prefix: string, count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`${prefix}${n}`, n]));
  expect(linesOf(body("a", 4_000), body("b", 4_000))).toBeNull();
  expect(linesOf(body("a", 4_000), { ...body("a", 4_000), last: 1 })?.filter((line) => /^[+-]/.test(line))).toEqual([
    '-  "a3999": 3999',
    '+  "a3999": 3999,',
    '+  "last": 1',
  ]);
});

test("each action that a project's log may have is told in words", () => {
  const actions = projectActions(readFileSync(join(packageRoot(), "ENGINE_SPEC.md"), "utf8"));
  expect(actions).toContain("webhook_disabled");
  const words = (action: string) =>
    recordInWords({ action, environment: "staging", version: "v1", details: {} } as Parameters<typeof recordInWords>[0]);
  expect(actions.filter((action) => words(action).startsWith(action.replaceAll("_", " ")))).toEqual([]);
});

test("values that changed are named, not said to be set: they may have been removed", () => {
  const changes = { components_added: 0, components_changed: 2, components_removed: 0, env_vars_changed: ["OLD_URL"], feature_flags: [] };
  expect(changedWhat({ changes: changes as unknown as Revision["changes"] })).toBe("2 components changed, 1 value (OLD_URL)");
});

test("environments stand in the pipeline's order, the others by how near they are to production", () => {
  const all = [
    environment({ env: "production", type: "production" }),
    environment({ env: "qa", type: "custom" }),
    environment({ env: "dev", type: "development" }),
  ];
  expect(inOrder(all, {}).map(({ env }) => env)).toEqual(["dev", "qa", "production"]);
  expect(inOrder(all, { pipeline: ["qa", "dev"] }).map(({ env }) => env)).toEqual(["qa", "dev", "production"]);
});

test("an environment's own rules are over those of its type", () => {
  const policy = { environments: { "type:production": { approvals: 1, protected: true }, production: { approvals: 2 } } };
  expect(rulesOf(policy, { env: "production", type: "production" })).toEqual({ approvals: 2, protected: true });
  expect(rulesOf(undefined, { env: "a", type: "custom" })).toEqual({});
});

test("a stay lasts until the next revision, and those that change nothing of what runs are none", () => {
  const revision = (n: number, action: string) => ({
    revision: n,
    version: `v${n}`,
    action,
    timestamp: `t${n}`,
    created_by: "a",
    snapshot: `s${n}`,
  });
  const revisions = [revision(3, "expire"), revision(2, "config"), revision(1, "create")] as unknown as Parameters<typeof staysOf>[0];
  const deployed = { snapshot: "s1" } as Environment["deployed"];
  expect(staysOf(revisions, { deployed })).toMatchObject([
    { revision: 2, until: null, outcome: null },
    { revision: 1, until: "t2", outcome: "deployed" },
  ]);
});

test("the way back that is proposed is the last version that was deployed and worked, never one that failed", () => {
  const stay = (revision: number, version: string, outcome: "deployed" | "failed" | null) => ({ revision, version, outcome }) as Stay;
  const stays = [stay(5, "v5", "deployed"), stay(4, "v4", "failed"), stay(3, "v3", null), stay(2, "v2", "deployed"), stay(1, "v1", null)];
  expect(lastHealthy(stays)?.revision).toBe(2);
  expect(lastHealthy(stays.slice(0, 3))?.revision).toBe(3);
  expect(lastHealthy(stays.slice(0, 2))?.revision).toBe(4);
  expect(lastHealthy(stays.slice(0, 1))).toBeUndefined();
});

test("of a stay's reports the newest counts, and one that is under way says nothing yet", () => {
  const revisions = [2, 1].map((n) => ({
    revision: n,
    version: `v${n}`,
    action: "promote",
    timestamp: "",
    created_by: "a",
    snapshot: `s${n}`,
  }));
  const report = (revision: number, status: string) => ({ revision, details: { status } });
  const reports = [report(2, "deploying"), report(1, "failed"), report(1, "deployed")];
  expect(staysOf(revisions as never, { deployed: null }, reports).map(({ outcome }) => outcome)).toEqual([null, "failed"]);
});

test("a value is from the newest revision that names it, else from the environment's first", () => {
  const revision = (part: object) =>
    ({ created_by: "ada", changes: { feature_flags: [], env_vars_changed: [] }, ...part }) as unknown as Revision;
  const origins = originsOf([
    revision({ action: "config", changes: { feature_flags: ["beta"], env_vars_changed: ["A"] } }),
    revision({ action: "promote", source: { version: "v2" }, changes: { feature_flags: [], env_vars_changed: ["A", "B"] } }),
    revision({ action: "create" }),
  ]);
  const from = (kind: "vars" | "flags", name: string) => {
    const origin = origins({ kind, name });
    return origin === undefined ? null : originInWords(origin, { base_from: "staging" });
  };
  expect([from("vars", "A"), from("vars", "B"), from("vars", "C"), from("flags", "beta")]).toEqual([
    "by ada",
    "with v2, by ada",
    "from staging, by ada",
    "by ada",
  ]);
  expect(originsOf([])({ kind: "vars", name: "A" })).toBeUndefined();
});

test("what a check says in the engine's terms is said in words, with names", () => {
  const check = (part: object) => ({ status: "failed", reason: "As the engine has it.", ...part }) as Check;
  expect([
    reasonOf(check({ name: "config_complete", details: { unbound: ["secrets/KEY", "vars/URL"] } })),
    reasonOf(check({ name: "approvals", details: { needed: 2, approved_by: [] } })),
    reasonOf(check({ name: "approvals", details: { needed: 2, approved_by: ["ada"] } })),
    reasonOf(check({ name: "soak_time" })),
    reasonOf(check({ name: "approvals", status: "passed" })),
  ]).toEqual([
    "KEY and URL are needed, and not set there yet.",
    "2 other people have to agree.",
    "ada agreed: 1 of 2.",
    "As the engine has it.",
    "As the engine has it.",
  ]);
});

test.each([
  ["", "line 1, column 1: it is empty."],
  ['{"a": 1,}', "line 1, column 9: expected a member's name in double quotes."],
  ['{\n  "a": 1\n  "b": 2\n}', "line 3, column 3: expected `,` or `}`."],
  ['{"id": 9007199254740993}', "line 1, column 8: a number does not fit a double, and would change: send it as a string."],
  ['{"a": 1, "\\u0061": 2}', "line 1, column 10: the object has two members of this name."],
])("what JSON cannot be kept is told, and where: %o", (text, fault) => expect(readJson(text)).toEqual({ value: undefined, fault }));

test("what is JSON has no fault, whatever is in it", () => {
  for (const text of ["{}", " [ ] ", "[[], {}]", '{"a": {"b": [1, -2.5e+3, "\\u00e9\\n", null, true]}, "c": ""}'])
    expect(readJson(text)).toEqual({ value: JSON.parse(text), fault: null });
});

test("a file may begin with a byte order mark, and may not be in another encoding than UTF-8", () => {
  expect(readJsonFile(new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d]))).toEqual({ value: {}, fault: null });
  expect(readJsonFile(new Uint8Array([0x22, 0xe9, 0x22])).fault).toBe("it is not in UTF-8: save it again as that.");
});

test("who may skip a check is named beside who clears it", () => {
  expect([
    whoClears("soak_time", []),
    whoClears("soak_time", ["soak_time"]),
    whoClears("pipeline_order", ["soak_time"]),
    whoClears("pipeline_order", ["pipeline_order"]),
  ]).toEqual([
    "Time",
    "Time; or an administrator, who skips it with a reason",
    "An administrator, in the policy",
    "An administrator, who skips it with a reason",
  ]);
});

test("of a new environment is told what it is, until when, and what it lacks; of one that was there, what became of it", () => {
  const created = (part: object) =>
    ({ status: "env_created", env: "a", expires_at: null, secrets_unbound: [], ...part }) as unknown as Created;
  expect([
    createdInWords(created({ type: "staging" })),
    createdInWords(created({ type: "custom", secrets_unbound: ["KEY", "DSN"] })),
    createdInWords(created({ type: "preview", expires_at: "2026-01-31T12:00:00", status: "env_updated" })),
  ]).toEqual([
    "a is there. It is for trying things out.",
    "a is there. It is of a kind of its own. It has no KEY and DSN: set them in Configuration.",
    "a was there, and has the newest version now. It is a preview until 31 Jan 2026, 12:00.",
  ]);
});

test("advice that names a request stands apart from what a person is told to do", () => {
  const faultWith = (fix: string) => faultOf(new EnvmError("environment_not_found", { status: 404, reason: "It is not there.", fix }));
  expect(faultWith("GET /env/p lists them.")).toMatchObject({
    byApi: "GET /env/p lists them.",
    todo: expect.stringMatching(/may have ended/),
  });
  expect(faultWith("Ask somebody.")).toMatchObject({ byApi: null, todo: "Ask somebody." });
});

test("a flag is told in words", () => {
  const on = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" };
  expect([
    flagInWords(on),
    flagInWords({ ...on, state: "DISABLED" }),
    flagInWords({ ...on, targeting: { if: [] } }),
    flagInWords({ ...on, defaultVariant: null }),
  ]).toEqual(["on for everybody", "switched off", "by rules, else on", "the code’s own default for everybody"]);
});

test.each([
  [0, "connection_failed", "away"],
  [503, "store_unavailable", "away"],
  [502, "invalid_answer", "away"],
  [504, "invalid_answer", "away"],
  [401, "unauthorized", "signed-out"],
  [403, "forbidden", "forbidden"],
  [403, "self_approval", "refused"],
  [404, "environment_not_found", "missing"],
  [410, "environment_expired", "missing"],
  [409, "plan_stale", "refused"],
  [500, "internal_error", "broken"],
])("status %i with %s is told as %s", (status, code, kind) => {
  expect(faultOf(new EnvmError(code, { status, reason: "It is so." })).kind).toBe(kind);
});

test("who is told to try again is who has to: a page reads again by itself, and nobody saves anything but people", () => {
  const away = new EnvmError("connection_failed", { reason: "Nothing listens there." });
  expect([faultOf(away).todo, faultOf(away, false).todo]).toEqual([
    "It is tried again by itself. If this lasts, tell whoever runs the engine.",
    "Try again in a moment. If this lasts, tell whoever runs the engine.",
  ]);
  const broken = (requestId: string | null) => faultOf(new EnvmError("internal_error", { status: 500, reason: "", requestId })).todo;
  expect(broken("a-number")).toMatch(/the number below/);
  expect(broken(null)).toBe("Try again. If it fails again, tell whoever runs the engine.");
});

test("an action is done once, however often its button is pressed before it is done", async () => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  let calls = 0;
  let finish = () => {};
  const Press = () => {
    const { act: press } = useAction({
      mutationFn: () =>
        new Promise<void>((resolve) => {
          finish = resolve;
          calls++;
        }),
    });
    return createElement("button", { type: "button", onClick: () => press() });
  };
  const place = document.createElement("div");
  const root = createRoot(place);
  await act(async () => root.render(createElement(QueryClientProvider, { client: new QueryClient(), children: createElement(Press) })));
  const button = place.querySelector("button");
  await act(async () => {
    button?.click();
    button?.click();
  });
  expect(calls).toBe(1);
  await act(async () => finish());
  await act(async () => button?.click());
  expect(calls).toBe(2);
  await act(async () => root.unmount());
});
