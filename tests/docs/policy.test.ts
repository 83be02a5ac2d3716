import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { type FreezeWindow, freezeAt } from "../../src/freeze.ts";
import type { Policy } from "../../src/policy.ts";
import { POLICY_PRESETS } from "../../src/policy-presets.ts";
import { parsePolicy } from "../../src/policy-rules.ts";
import type { Json, Validator } from "../../src/ports.ts";
import { caller, memoryStore, openWorld, PROJECT, TestClock } from "../domain/support.ts";
import { blocks, code, read, rows, section } from "./support.ts";

const TEXT = read("docs/policy.md");
const SPEC = section(read("ENGINE_SPEC.md"), "## 8. Policy");

/** Every rule that a policy knows, as its own refusal tells them. */
const RULES = knownRules();

describe("docs/policy.md", () => {
  test.each(blocks(TEXT, "json"))("shows policies that are taken: %s", (block) => {
    expect(() => parsePolicy(JSON.parse(block) as Json)).not.toThrow();
  });

  test("shows every rule and preset, and what may be forced", () => {
    const shown = blocks(TEXT, "json").join("\n");
    for (const rule of RULES.filter((name) => name !== "auto_promote")) expect(shown).toContain(`"${rule}"`);
    expect(TEXT).toContain('"auto_promote": true');
    expect(rows(section(TEXT, "## Start from a preset")).map(([name]) => code(name))).toEqual(Object.keys(POLICY_PRESETS));
  });

  const examples = blocks(section(TEXT, "## Freeze windows"), "json").map((block) => {
    const { environments } = JSON.parse(block) as Policy;
    return environments?.production?.freeze ?? [];
  });
  const moments = rows(section(TEXT, "## Freeze windows")).map(
    ([moment, state, until], index): [string, boolean, string, readonly FreezeWindow[]] => [
      code(moment),
      state === "closed",
      code(until),
      examples[Math.floor(index / 3)] ?? [],
    ],
  );

  test.each(moments)("says what is so at %s", (moment, closed, until, windows) => {
    expect(freezeAt(windows, new Date(moment))).toMatchObject({ closed, [closed ? "next_open" : "next_close"]: until });
  });
});

test("the specification's table of rules has every rule, and no other", () => {
  const [first] = SPEC.split("**Freeze windows**");
  expect(rows(first ?? "").map(([rule]) => code(rule))).toEqual(RULES);
});

describe("validation, as the page tells it:", () => {
  const table = rows(section(TEXT, "### Flows that work: `validation`"));
  const fault = { field: "trigger", reason: "There is no such trigger." };
  const verdict = (errors: object[], warnings: object[]) => ({ check: async () => ({ errors, warnings }) }) as Validator;
  const away: Validator = {
    check: async () => {
      throw new AppError("engine_unavailable");
    },
  };
  const engines = [verdict([fault], []), verdict([], [fault]), away, null];

  test.each(table.flatMap(([rule, ...told]) => told.map((one, index) => [code(rule), index, code(one)] as const)))(
    "under `%s`, in column %i, the check is `%s`",
    async (rule, index, told) => {
      const { project } = await openWorld({ validator: engines[index] ?? null });
      await project.create("staging");
      await project.create("production");
      await project.set("staging", { "flows/welcome": { trigger: "Customer.created" } });
      await project.policy({ environments: { production: { validation: rule } } });
      const { checks } = await project.plan("staging", "production");
      expect(checks.find(({ name }) => name === "validation")?.status).toBe(told);
      const promoted = await project.promote("staging", "production").then(
        ({ status }) => status,
        ({ code }: AppError) => code,
      );
      const refusal = engines[index] === away ? "validation_unavailable" : "checks_failed";
      expect(promoted).toBe(told === "failed" ? refusal : "ready_for_deploy");
    },
  );
});

describe("approvals, as the page tells them:", () => {
  const open = async () => {
    const clock = new TestClock(1);
    const world = await openWorld({ store: memoryStore(clock) });
    const { project, domain } = world;
    await project.create("staging");
    await project.create("production", { base: "staging" });
    await project.set("staging", { "entities/Order": {} });
    const put = async (policy: Policy) => domain.policies.replace(caller("ann"), PROJECT, policy as unknown as Json, null);
    const promote = () => project.promote("staging", "production");
    const approve = (actor: string, id: string) => domain.pending.approve(caller(actor), { project: PROJECT, id });
    const status = async (id: string) =>
      (await domain.pending.list(caller("reader"), PROJECT, { limit: 10, cursor: null })).items.find((one) => one.id === id)?.status;
    return { ...world, clock, put, promote, approve, status };
  };

  test("the last one applies the promotion; who asked cannot agree, and nobody can twice", async () => {
    const { put, promote, approve, status } = await open();
    await put({ environments: { production: { approvals: { count: 2, by: ["ada", "grace", "ann"] } } } });
    const { status: put_up, promotion_id: id = "" } = await promote();
    expect(put_up).toBe("pending_approval");
    await expect(approve("ann", id)).rejects.toMatchObject({ code: "self_approval" });
    await expect(approve("joan", id)).rejects.toMatchObject({ code: "forbidden" });
    expect((await approve("ada", id)).status).toBe("pending_approval");
    await expect(approve("ada", id)).rejects.toMatchObject({ code: "already_approved" });
    expect(await approve("grace", id)).toMatchObject({ status: "ready_for_deploy", revision: 2 });
    expect(await status(id)).toBe("applied");
    await expect(approve("grace", id)).rejects.toMatchObject({ code: "promotion_closed" });
  });

  test.each(["source", "target", "policy"])("a change of the %s voids what waits", async (what) => {
    const { put, promote, approve, status, project } = await open();
    await put({ environments: { production: { approvals: 1 } } });
    const { promotion_id: id = "" } = await promote();
    if (what === "policy") await put({ environments: { production: { approvals: 1, soak: "1s" } } });
    else await project.configure(what === "source" ? "staging" : "production", { vars: { A: "1" } });
    expect(await status(id)).toBe("voided");
    await expect(approve("grace", id)).rejects.toMatchObject({ code: "promotion_closed" });
  });

  test("what a freeze holds back after the last one waits, and goes through by itself", async () => {
    const { put, promote, approve, status, clock, domain } = await open();
    clock.time = Date.parse("2026-01-09T15:00:00Z");
    await put({ environments: { production: { approvals: 1, freeze: [{ kind: "deny", cron: "0 16 * * 5", duration: "62h" }] } } });
    const { promotion_id: id = "" } = await promote();
    clock.time = Date.parse("2026-01-09T16:30:00Z");
    expect((await approve("grace", id)).status).toBe("pending_approval");
    clock.time = Date.parse("2026-01-10T12:00:00Z");
    await domain.sweeper.runDue();
    expect(await status(id)).toBe("pending");
    clock.time = Date.parse("2026-01-12T06:01:00Z");
    await domain.sweeper.runDue();
    expect(await status(id)).toBe("applied");
  });

  test("force skips what the policy lists, with a reason that is kept, and nothing else", async () => {
    const { put, promote, project, domain } = await open();
    await put({ environments: { production: { approvals: 1, soak: "24h", forceable: ["approvals", "soak_time"] } } });
    await expect(promote()).rejects.toMatchObject({ code: "checks_failed" });
    const force = (wishes: object) => project.promote("staging", "production", wishes);
    await expect(force({ force: true })).rejects.toMatchObject({ code: "invalid_request" });
    await expect(force({ force: { reason: "It burns", checks: ["approvals"] } })).rejects.toMatchObject({ code: "checks_failed" });
    expect((await force({ force: { reason: "It burns" } })).status).toBe("ready_for_deploy");
    const [record] = (await domain.audit.list(caller("reader"), PROJECT, { limit: 1, cursor: null }, {})).items;
    expect(JSON.stringify(record?.details.forced)).toContain("It burns");
  });
});

function knownRules(): string[] {
  try {
    parsePolicy({ environments: { production: { no_such_rule: true } } });
  } catch (error) {
    if (error instanceof AppError) return (/known are: ([\w, ]+)/.exec(error.message)?.[1] ?? "").split(", ");
  }
  throw new Error("an unknown rule was not refused");
}
