import { describe, expect, test } from "vitest";
import { BEHAVIOURS } from "../../scripts/demo/family/behaviour.ts";
import { MEMBERS, type MemberName } from "../../scripts/demo/family/play.ts";
import { useMember } from "./support.ts";

/** Of each engine, a request as its contract has it. */
const REQUESTS: Readonly<Record<MemberName, { readonly path: string; readonly body: Readonly<Record<string, unknown>> }>> = {
  vault: { path: "/vault/token", body: { project: "pf-777/staging", service: "API_KEY@1", token: "value" } },
  validation: { path: "/validation/check", body: { blueprint: { trigger: {}, actions: [{ uses: "record.create" }] } } },
  monitoring: {
    path: "/monitoring/alert",
    body: { project_id: "pf-777", severity: "critical", message: "It burns.", triggered_by: "ann" },
  },
  deployment: { path: "/deploy", body: { project_id: "pf-777", target_env: "staging", deployer_id: "ann", version_name: "v1.0.0" } },
  builder: { path: "/builder/preview", body: { project_id: "pf-777", env: "pr-1", version: "v1.0.0", snapshot: "00ff" } },
  feedback: {
    path: "/feedback/requests",
    body: {
      id: "pf-777:1",
      project_id: "pf-777",
      kind: "promotion_approval",
      promotion_id: "1",
      source_env: "staging",
      target_env: "production",
      version: "v1.0.0",
      requested_by: "ann",
      approvals_needed: 1,
    },
  },
};

describe.each(MEMBERS)("the %s engine to play with", (name) => {
  const member = useMember(name);
  const { path, body } = REQUESTS[name];
  const ask = (method: string, where: string, sent?: unknown) =>
    fetch(member.url + where, { method, redirect: "manual", ...(sent !== undefined && { body: JSON.stringify(sent) }) });

  test("takes what its contract has, and answers an error to anything else", async () => {
    expect((await ask("POST", path, body)).ok).toBe(true);
    for (const wrong of [{ ...body, more: 1 }, {}, [], { ...body, [Object.keys(body)[0] ?? ""]: 7 }]) {
      expect((await ask("POST", path, wrong)).status).toBe(422);
    }
    for (const [method, where] of [
      ["PUT", path],
      ["POST", `${path}/more`],
      ["GET", "/"],
      ["POST", "/_seen"],
    ] as const) {
      expect((await ask(method, where, method === "GET" ? undefined : body)).status).toBe(404);
    }
    expect((await member.seen()).breaches).toHaveLength(8);
  });

  test("remembers over a restart what it was told, whether it was killed or not", async () => {
    await ask("POST", path, body);
    const { memory } = await member.seen();
    await member.stop();
    await member.start();
    expect((await member.seen()).memory).toEqual(memory);
  });

  test.each(BEHAVIOURS.filter((one) => !["well", "slow", "nothing"].includes(one)))("answers badly when it is told to: %s", async (how) => {
    await member.behave(how);
    const answered = await ask("POST", path, body).then(
      async (reply) => [
        reply.status,
        await reply.json().then(
          (json) => Object.keys(json as object),
          () => "no JSON",
        ),
      ],
      () => "no reply",
    );
    const expected = {
      "500": [500, ["error"]],
      redirect: [302, "no JSON"],
      garbage: [200, "no JSON"],
      half: [200, "no JSON"],
      huge: [200, ["filler"]],
    };
    expect(answered).toEqual(expected[how as keyof typeof expected]);
    await member.behave("well");
    expect((await ask("POST", path, body)).ok).toBe(true);
  });

  test("that is slow answers when it is told to go on, and one that answers nothing never has", async () => {
    await member.behave("slow");
    const slow = ask("POST", path, body);
    const silent = new AbortController();
    while ((await member.seen()).calls.length < 1);
    await member.behave("nothing");
    expect((await slow).ok).toBe(true);
    const nothing = fetch(member.url + path, { method: "POST", body: JSON.stringify(body), signal: silent.signal });
    while ((await member.seen()).calls.length < 2);
    silent.abort();
    await expect(nothing).rejects.toThrow();
    expect((await member.seen()).calls.map(({ status }) => status === null)).toEqual([false, true]);
  });
});
