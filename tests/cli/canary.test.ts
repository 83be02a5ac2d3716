import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { ROOT_TOKEN, useCli } from "./support.ts";

const context = useCli();
const CANARY = "canary-4f1c9b7e2d";

beforeAll(async () => {
  const { cli } = context;
  cli.file("secret.txt", CANARY);
  cli.file("secrets.env", `NEXT_TOKEN=${CANARY}\nPLAIN=${CANARY}\n`);
  cli.file("broken.env", `GOOD=1\n${CANARY}\n`);
  cli.file("broken.json", `{"x": ${CANARY}}`);
  cli.file("broken.yaml", `a: [${CANARY}\nb`);
});

test("no command prints a value that it was given as one, whatever becomes of it; what reveals prints it where it was asked to", async () => {
  const { cli } = context;
  const lines: readonly (readonly string[])[] = [
    ["env", "create", "development", "--set", `FIRST_KEY=${CANARY}`, "--set", `SOME=${CANARY}`],
    ["env", "create", "development", "--set", `FIRST_KEY=${CANARY}`],
    ["env", "create", "BAD NAME", "--set", `FIRST_KEY=${CANARY}`],
    ["env", "create", "staging", "--from", "dev"],
    ["secret", "set", "OTHER_KEY=@secret.txt", "-e", "dev"],
    ["secret", "set", `BAD NAME=${CANARY}`, "-e", "dev"],
    ["secret", "set", `OTHER_KEY=${CANARY}`, "-e", "nowhere"],
    ["secret", "set", `OTHER_KEY=${CANARY}`, "-e", "dev", "--dry-run"],
    ["var", "set", `SOME=${CANARY}2`, "-e", "dev"],
    ["var", "set", `FIRST_KEY=${CANARY}`, "-e", "dev"],
    ["var", "set", `SOME=${CANARY}`, "-e", "dev", "--url", "http://127.0.0.1:1"],
    ["var", "list", "-e", "dev"],
    ["secret", "list", "-e", "dev"],
    ["import", "secrets.env", "-e", "dev", "--dry-run"],
    ["import", "secrets.env", "-e", "dev"],
    ["import", "broken.env", "-e", "dev"],
    ["flag", "import", "broken.json", "-e", "dev"],
    ["policy", "set", "broken.yaml"],
    ["state", "import", "broken.json", "-e", "dev"],
    ["promote", "dev", "stage", "--set", `FIRST_KEY=${CANARY}`, "--dry-run"],
    ["promote", "dev", "stage", "--set", `FIRST_KEY=${CANARY}`],
    ["promote", "dev", "nowhere", "--set", `FIRST_KEY=${CANARY}`],
    ["secret", "unset", "OTHER_KEY", "-e", "dev"],
    ["rollback", "dev", "1", "--dry-run"],
    ["export", "-e", "dev", "-o", "/dev/null", "--secrets"],
    ["export", "nothing", "--format", "no-such-format", "-e", "dev", "--secrets"],
    ["run", "-e", "dev", "--", "true"],
    ["run", "-e", "dev", "--", "no-such-program"],
    ["diff", "dev", "stage"],
    ["history", "dev"],
    ["audit", "list"],
    ["doctor"],
    ["whoami"],
    ["env", "list", "--token", `envm_0000000000000000_${CANARY}`],
  ];
  for (const line of lines) {
    for (const mode of [[], ["--json"]]) {
      // Vars are no secrets: as the engine's own reply shows them, --json does.
      if (mode.length > 0 && (line[0] === "diff" || (line[0] === "var" && line[1] === "list"))) continue;
      const args = line[0] === "run" ? [line[0], ...mode, ...line.slice(1)] : [...line, ...mode];
      const { out, err } = await cli.run(args);
      expect({ line, leaked: (out + err).includes(CANARY) }).toEqual({ line, leaked: false });
      expect((out + err).includes(ROOT_TOKEN)).toBe(false);
    }
  }
  expect(await cli.ok(["secret", "reveal", "FIRST_KEY", "-e", "dev"])).toBe(`${CANARY}\n`);
  expect(await cli.ok(["export", "-e", "dev", "--secrets"])).toContain(CANARY);
}, 240_000);

test("no file that was not asked for holds a value", () => {
  const { cli } = context;
  const given = ["secret.txt", "secrets.env", "broken.env", "broken.json", "broken.yaml"];
  for (const folder of [cli.folder, cli.home]) {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => statSync(join(folder, name)).isFile());
    const leaking = files.filter((name) => !given.includes(name) && readFileSync(join(folder, name), "utf8").includes(CANARY));
    expect(leaking).toEqual([]);
  }
});
