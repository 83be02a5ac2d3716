import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../src/package.ts";
import { built } from "../support/built.ts";
import { useEngine } from "../support/engine.ts";
import { hasShell, withoutShell } from "./curl.ts";
import { blocks, read, section } from "./support.ts";

const PAGE = read("docs/audit.md");
const TOKEN = "a-root-token-of-this-test";
const run = promisify(execFile);

/** `docs/audit.md`, as the engine's operator and a stranger would follow it. */
describe.runIf(hasShell())(`an audit log is proven to somebody${withoutShell()}`, () => {
  const engine = useEngine({ token: TOKEN });
  const folder = mkdtempSync(join(tmpdir(), "env-manager-audit-"));
  const file = (name: string) => join(folder, name);
  beforeAll(async () => {
    await engine.request("POST", "/env/create", { project_id: "pf-777", new_environment: "staging" });
    await engine.request("PATCH", "/env/pf-777/staging/config", { vars: { GREETING: "Grüße, 世界 \u2028" }, secrets: { API_KEY: "sk-1" } });
    writeFileSync(file("verify.mjs"), blocks(section(PAGE, "## Handing it to somebody"), "js")[0] ?? "");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** One of the page's scripts, in bash; nothing of it is translated but where the engine is. */
  async function follow(heading: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
    const [script = ""] = blocks(section(PAGE, heading), "sh");
    const here = script.replace(/^engine=.*$/m, `engine=${engine.url}`);
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", here], { cwd: folder, env: { ...process.env, TOKEN, ...variables } });
    return stdout;
  }

  function verify(records: string): Promise<{ code: number; said: string }> {
    writeFileSync(file("tried.ndjson"), records);
    return run(process.execPath, ["verify.mjs", "tried.ndjson", "audit.jws", "keys.json"], { cwd: folder }).then(
      ({ stdout }) => ({ code: 0, said: stdout }),
      (error: { code: number; stderr: string }) => ({ code: error.code, said: error.stderr }),
    );
  }

  test("by its head, which later tells whether the log was cut off", async () => {
    const { body } = await engine.get<{ head: string }>("/env/pf-777/audit/verify");
    const replies = (await follow("## Does it hold?", { HEAD: body.head })).match(/\{.*?\}/g) ?? [];
    expect(replies.map((reply) => (JSON.parse(reply) as { valid: boolean }).valid)).toEqual([true, true]);
    const cut = await engine.get(`/env/pf-777/audit/verify?expect=99${body.head}`);
    expect(cut.body).toMatchObject({ valid: false });
  });

  test("by a signed export, which the page's program verifies without the engine, and no other", async () => {
    await follow("## Handing it to somebody");
    const records = readFileSync(file("audit.ndjson"), "utf8");
    expect(await verify(records)).toMatchObject({ code: 0, said: expect.stringMatching(/^pf-777: 2 records, signed at /) });
    const [first = "", second = ""] = records.trim().split("\n");
    for (const [forged, why] of [
      [records.replace("staging", "staginG"), "Record 1 is not what was written."],
      [first, "The export ends at record 1"],
      [`${second}\n${first}`, "Record 1 is not what was written."],
      [second, "Record 1 is not what was written."],
    ] as const) {
      expect(await verify(forged)).toMatchObject({ code: 1, said: expect.stringContaining(why) });
    }
    const jws = readFileSync(file("audit.jws"), "utf8");
    writeFileSync(
      file("audit.jws"),
      jws.replace(/\.(.)/, (_, letter: string) => `.${letter === "e" ? "f" : "e"}`),
    );
    expect(await verify(records)).toMatchObject({ code: 1, said: "The signature is not valid.\n" });
    writeFileSync(file("audit.jws"), jws);
  });

  test("also after another key was made, as the page says", async () => {
    const old = readFileSync(file("audit.ndjson"), "utf8");
    await engine.stop();
    const settings = { STORE_URL: `sqlite:${join(engine.directory, "env.db")}`, ENV_MANAGER_MASTER_KEY: "", VAULT_URL: "" };
    const { stdout } = await run(process.execPath, [built("scripts/audit-rotate.js")], {
      cwd: packageRoot(),
      env: { ...process.env, ...settings },
    });
    expect(stdout).toMatch(/^Done: exports are signed with the key [0-9a-f]{32} from now on\.\n$/);
    await engine.start();
    const { body, text } = await engine.get<{ keys: readonly { retired_at: string | null }[] }>("/.well-known/jwks.json", {
      authorization: "",
    });
    expect(body.keys.map(({ retired_at }) => retired_at)).toEqual([expect.any(String), null]);
    writeFileSync(file("keys.json"), text);
    expect(await verify(old)).toMatchObject({ code: 0 });
    await follow("## Handing it to somebody");
    expect(await verify(readFileSync(file("audit.ndjson"), "utf8"))).toMatchObject({ code: 0 });
    const { items } = (await engine.get<{ items: readonly { action: string }[] }>("/tokens/audit?action=audit_key_made")).body;
    expect(items).toHaveLength(2);
  });
});
