import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileFlags, definitionFaults } from "../../src/flagd/index.ts";
import { packageRoot } from "../../src/package.ts";
import type { JsonObject } from "../../src/ports.ts";
import { Engine } from "../support/engine.ts";
import { type Answer, byFetch, hasShell, inBash, stepsOf } from "./curl.ts";
import { blocks, code, read, rows, section } from "./support.ts";

const PAGE = read("docs/flags.md");
const ROOT = "the-root-token-of-this-page";

interface File {
  readonly flags: JsonObject;
  readonly $evaluators: JsonObject;
  readonly metadata: JsonObject;
}

describe("the page's file", () => {
  const part = section(PAGE, "## What a rule can say");
  const file = JSON.parse(blocks(part, "json")[0] ?? "") as File;
  const set = compileFlags(file.flags, { evaluators: file.$evaluators, metadata: file.metadata });

  test("can be taken, every flag of it", () => {
    for (const [name, definition] of Object.entries(file.flags)) expect(definitionFaults(definition, file.$evaluators), name).toEqual([]);
  });

  test.each(rows(part).map((cells) => cells.map((cell) => code(cell))))(
    "%s is what the table says for %s",
    (key, context, reason, value) => {
      const found = set.evaluate(key ?? "", JSON.parse(context ?? "") as JsonObject);
      expect(found).toMatchObject({ reason });
      expect("value" in found ? found.value : "").toEqual(value === "" ? "" : JSON.parse(value ?? ""));
    },
  );
});

describe("the page's requests and program", () => {
  const script = blocks(PAGE, "sh")[0] ?? "";
  const skipped = !hasShell();
  const engine = new Engine({ token: ROOT });
  let answers: Answer[] = [];

  beforeAll(async () => {
    await engine.start();
    answers = await (skipped ? byFetch : inBash)(script, { ENGINE: engine.url, TOKEN: ROOT });
  }, 180_000);
  afterAll(() => engine.dispose(), 120_000);

  test("are answered as the comments say", () => {
    const told = answers.map(({ status, body }, index) => {
      const { statement, word } = stepsOf(script)[index] ?? { statement: "", word: null };
      return { statement, status, word: word === null ? null : (body as { status?: string }).status };
    });
    expect(told).toEqual(stepsOf(script));
    expect(answers[3]?.body).toEqual({ key: "new-checkout", reason: "STATIC", value: false, variant: "off" });
    expect(answers[5]?.body).toEqual({ key: "new-checkout", reason: "TARGETING_MATCH", value: true, variant: "on" });
    expect(answers[7]?.body).toMatchObject({ code: "invalid_flag", reason: expect.stringContaining('no operator "equals"') });
  });

  test("and the program prints what the flag is", async () => {
    const wish = { name: "program", role: "client", projects: ["shop"], envs: ["staging"] };
    const { token } = (await engine.request<{ readonly token: string }>("POST", "/tokens", wish)).body;
    await engine.request("PATCH", "/env/shop/staging/config", { flags: { "new-checkout": true } });
    const [program = ""] = blocks(section(PAGE, "## In a program"), "js");
    const options = { cwd: packageRoot(), env: { ...process.env, ENGINE: engine.url, APP: token }, timeout: 120_000 };
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], options);
    expect(stdout).toBe("true\n");
  }, 180_000);
});
