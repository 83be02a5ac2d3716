import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../../src/package.ts";
import { built } from "../support/built.ts";

const root = packageRoot();
const RUN_MS = 120_000;

interface Demo {
  readonly process: ChildProcess;
  output(): string;
  /** Resolves as soon as it has printed `text`; rejects where it ends before. */
  printed(text: string): Promise<void>;
}

function start(...args: readonly string[]): Demo {
  const child = spawn(process.execPath, [built("scripts/demo.js"), "--port", "0", ...args], { cwd: root });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      child.emit("printed");
    });
  }
  const printed = (wanted: string): Promise<void> =>
    new Promise((done, reject) => {
      const look = (): void => {
        if (text.includes(wanted)) done();
      };
      child.on("printed", look);
      child.once("close", () => reject(new Error(`It ended without printing "${wanted}":\n${text}`)));
      look();
    });
  return { process: child, output: () => text, printed };
}

async function run(...args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const demo = start("--once", ...args);
  const [code] = (await once(demo.process, "close")) as [number | null];
  return { code, output: demo.output() };
}

/** What every run of the loop must show, in this order. */
const MILESTONES = [
  "201 active",
  "ada: admin, secrets:reveal in all environments",
  "ben: promoter in staging, production",
  "403 forbidden",
  "404 project_not_found",
  "201 env_created",
  "A feature is built",
  "409 checks_failed",
  "config_complete",
  "fix:",
  "ready_for_deploy",
  "entities_added: Notification",
  "logic_changed: 2",
  "NOTIFICATION_API_KEY",
  "is live",
  "in_sync",
  "compared",
  "agrees on rules",
  "409 checks_failed",
  "✗ pipeline_order",
  "is merged",
  "✓ diverged",
  "fields: channel, priority, read_at, recipient, text; texts up to 2000 characters",
  "202 pending_approval",
  "✗ approvals",
  "403 self_approval",
  "asked for by ada",
  "200 ready_for_deploy",
  "Approved by ben",
  "expires_in: 72h",
  "ends: ",
  "rolled_back",
  "valid: true",
];

/** What the family's story must show, in this order. */
const FAMILY_MILESTONES = [
  "one engine of a family",
  "/vault/tokens/demo%2Fdevelopment of the Vault engine",
  "STRIPE_SECRET_KEY@",
  "/vault/tokens/demo%2Fstaging of the Vault engine",
  "STRIPE_SECRET_KEY@",
  "/vault/tokens/demo%2Fproduction of the Vault engine",
  "STRIPE_SECRET_KEY@",
  '"auto_deploy":true',
  "409 checks_failed",
  'flows/operations/weekly-report, actions[0].uses: there is no action "teleport.send"',
  "200 ready_for_deploy",
  "✓ validation",
  "staging: v1.2.0, in_sync",
  "deployed, deployment-1, https://staging.demo.example",
  "deployment-2: v1.2.0 to production, for ada",
  "A deployment fails",
  "staging: v1.3.0, failed",
  "failed, migrate: The database refuses a migration of v1.3.0",
  "taken back",
  "production: v1.2.0, in_sync",
  "hold: Deploying v1.4.0 failed",
  "v1.2.0   rollback",
  "critical: Deploying v1.4.0 to production failed",
  "202 pending_approval",
  "ada asks for v1.4.0 in production",
  "production: v1.4.0, in_sync",
  ".builder.example/demo/pr-142",
  "vault ok, validation ok, monitoring ok, deployment ok, builder ok, feedback ok",
  "All six engines are stopped",
  "200 active",
  "200 updated",
  "503 validation_unavailable",
  "503 vault_unavailable",
  "201 env_created",
  "at https://preview.puraify.app/demo/pr-143",
  "warning: The Platform Builder engine",
  "202 pending_approval",
  "monitoring: failing",
  "deployment: failing",
  "feedback: failing",
  "ready: store ok, vault d",
  "All six are started again",
  "staging: v1.4.1, deploying",
  "monitoring: ok",
  "deployment: ok",
  "feedback: ok",
  "staging: v1.4.1, in_sync",
  "What was refused is taken now",
  "200 updated",
  "SLACK_WEBHOOK_URL@",
  "200 ready_for_deploy",
  ".builder.example/demo/pr-143",
  "Nothing is missing and nothing is doubled",
  "valid: true",
  "in order, each once",
  "vault ok, validation ok, monitoring ok, deployment ok, builder ok, feedback ok",
];

function expectMilestones(output: string, milestones: readonly string[] = MILESTONES): void {
  let from = 0;
  for (const milestone of milestones) {
    const at = output.indexOf(milestone, from);
    expect({ milestone, found: at >= 0 }, output).toEqual({ milestone, found: true });
    from = at + milestone.length;
  }
}

test(
  "the demo runs the whole loop on the project's own platform and ends with 0",
  async () => {
    const { code, output } = await run();
    expect(code, output).toBe(0);
    expectMilestones(output);
    expect(output).not.toContain("\u001b");
    // Names of secrets are shown, values never.
    expect(output).not.toMatch(/dummy-(dev|staging|prod)/);
  },
  RUN_MS,
);

test(
  "among its siblings it tells what each does for it, what becomes of it without them, and that nothing is lost",
  async () => {
    const { code, output } = await run("--family");
    expect(code, output).toBe(0);
    expectMilestones(output, FAMILY_MILESTONES);
    expect(output).not.toMatch(/dummy-(dev|staging|prod)/);
  },
  RUN_MS,
);

test(
  "the demo runs on any platform file",
  async (context) => {
    const real = resolve(root, "../shared/data/workflow-platform.json.gz");
    if (!existsSync(real)) context.annotate(`${real} is absent: the project's own example stands in`);
    const { code, output } = await run("--platform", existsSync(real) ? real : join(root, "examples/customer-portal.json"));
    expect(code, output).toBe(0);
    expectMilestones(output);
  },
  RUN_MS,
);

test(
  "without --once it keeps serving until it is told to end, and takes the engine with it",
  async () => {
    const demo = start();
    await demo.printed("keeps serving at ");
    const url = /keeps serving at (\S+)/.exec(demo.output())?.[1] ?? "";
    await demo.printed("/env/demo/production/active");
    const token = /Bearer (\S+)"/.exec(demo.output())?.[1] ?? "";
    expect(demo.output()).toContain(`open ${url}/ and log in with the root token of this run:\n  ${token}\n`);
    const ask = (path: string) => fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
    expect((await ask("/env/demo/production/active")).status).toBe(200);
    expect((await fetch(`${url}/env/demo/production/active`)).status).toBe(401);
    const promotions = (await (await ask("/env/demo/promotions")).json()) as { readonly items: readonly object[] };
    expect(promotions.items).toMatchObject([{ status: "applied", requested_by: "ada", approvals: [{ by: "ben" }] }]);
    const closed = once(demo.process, "close");
    demo.process.kill("SIGINT");
    expect((await closed)[0]).toBe(0);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  },
  RUN_MS,
);

test(
  "a platform file that is none is refused with a clear message",
  async () => {
    const { code, output } = await run("--platform", join(root, "package.json"));
    expect(code).toBe(1);
    expect(output).toContain("is no platform state");
  },
  RUN_MS,
);
