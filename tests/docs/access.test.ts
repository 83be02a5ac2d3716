import { parse } from "dotenv";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ACCESS_COMMAND, ACCESS_PAGE, guardedRoutes, withTables } from "../../scripts/access-doc.ts";
import { RIGHTS } from "../../src/access.ts";
import { isTakenName } from "../../src/actors.ts";
import { ACCESS } from "../../src/http/rights.ts";
import { parseRoleMap } from "../../src/identity/oidc.ts";
import { LIMITS } from "../../src/limits.ts";
import { loadSettings } from "../../src/settings.ts";
import { Engine } from "../support/engine.ts";
import { type Answer, byFetch, hasShell, inBash, stepsOf } from "./curl.ts";
import { blocks, code, read, rows, section } from "./support.ts";

const PAGE = read(ACCESS_PAGE);
const NO_FILES = "/no/such/folder";

test("the tables of roles and routes are those that the engine goes by", () => {
  expect(PAGE, `${ACCESS_PAGE} is not what the code says: run \`${ACCESS_COMMAND}\` and commit the page`).toBe(withTables(PAGE));
});

test("every operation of the table of rights is a route's, and every route has one", () => {
  expect(
    guardedRoutes()
      .map(({ operationId }) => operationId)
      .sort(),
  ).toEqual(Object.keys(ACCESS).sort());
});

test("every right is explained", () => {
  const [, ...rights] = tables(section(PAGE, "## Roles and rights"));
  expect(rights.flat().map(([right]) => code(right))).toEqual(RIGHTS);
});

test("the rates are those of the engine", () => {
  const told = rows(section(PAGE, "## How often")).map(([, ...cells]) => cells.slice(0, 2).map(numberIn));
  expect(told).toEqual([
    [LIMITS.requestsPerSecondPerToken, LIMITS.burstSeconds * LIMITS.requestsPerSecondPerToken],
    [LIMITS.requestsPerSecondPerAddress, LIMITS.burstSeconds * LIMITS.requestsPerSecondPerAddress],
    [LIMITS.refusedPerSecondPerAddress, LIMITS.refusedBurstPerAddress],
    [null, LIMITS.streamsPerToken],
  ]);
});

test("what is recorded is what the code records", () => {
  const told = rows(section(PAGE, "## What is recorded")).flatMap(([actions]) =>
    [...(actions ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name),
  );
  const source = [read("src/tokens.ts"), read("src/refusals.ts")].join("\n");
  expect(told.sort()).toEqual([...new Set([...source.matchAll(/"(token_(?!not)\w+|access_\w+)"/g)].map(([, name]) => name))].sort());
});

test("names that are the engine's own are refused in tokens", () => {
  const [, names = ""] = /differently\. (.*?) are the engine's own/.exec(PAGE) ?? [];
  const taken = [...names.matchAll(/`([\w-]+)`/g)].map(([, name]) => name ?? "");
  expect(taken.length).toBeGreaterThan(3);
  for (const name of taken) expect(isTakenName(name.toUpperCase()), name).toBe(true);
});

describe("the settings of an identity provider", () => {
  const examples = [...blocks(PAGE, "ini"), read(".env.example").replace(/^#(?=OIDC_)/gm, "")];

  test.each(examples)("are taken as the page and .env.example show them: %s", (text) => {
    const { oidc } = loadSettings({ ...parse(text), STORE_URL: "memory:" }, NO_FILES);
    expect(parseRoleMap(oidc?.roles ?? "").size).toBeGreaterThan(0);
  });

  test("have the names and defaults that the page gives them", () => {
    const required = { OIDC_ISSUER: "https://id.example.com", OIDC_AUDIENCE: "engine", OIDC_ROLES: "{}" };
    const { oidc } = loadSettings(required, NO_FILES);
    const told = rows(section(PAGE, "## Signing in through an identity provider")).slice(0, 5);
    expect(told.map(([name, value]) => [code(name), code(value)])).toEqual([
      ...Object.keys(required).map((name) => [name, ""]),
      ["OIDC_ROLE_CLAIM", oidc?.claim],
      ["OIDC_ACTOR_CLAIM", oidc?.actorClaim],
    ]);
  });
});

describe.each([
  ["bash and curl", inBash],
  ["fetch", byFetch],
] as const)("the life of a token, by %s", (name, runner) => {
  const skipped = name !== "fetch" && !hasShell();
  const token = "the-root-token-of-the-access-page-0123456789";
  const engine = new Engine({ token });
  const [script = ""] = blocks(section(PAGE, "## Tokens"), "sh");
  let answers: Answer[] = [];

  beforeAll(async () => {
    if (skipped) return;
    await engine.start();
    answers = await runner(script, { engine: engine.url, TOKEN: token });
  });
  afterAll(() => engine.dispose());

  test("answers each request as the comment before it says", (context) => {
    context.skip(skipped, "bash or curl is not installed; the same is sent by fetch");
    const steps = stepsOf(script);
    expect(steps.length).toBeGreaterThan(4);
    const told = answers.map(({ status, body }, index) => {
      const { statement, word } = steps[index] ?? { statement: "", word: null };
      return { statement, status, word: word === null ? null : (body as { status?: string }).status };
    });
    expect(told).toEqual(steps);
  });

  test("leaves a record of each of its turns", (context) => {
    context.skip(skipped, "bash or curl is not installed; the same is sent by fetch");
    const turns = ["token_revoked", "token_rotated", "token_created", "token_created"];
    expect(answers.at(-1)?.body).toMatchObject({ items: turns.map((action) => ({ action })) });
  });
});

/** The rows of each table, by itself. */
function tables(text: string): string[][][] {
  return text
    .split(/\n\s*\n/)
    .map(rows)
    .filter((table) => table.length > 0);
}

function numberIn(cell: string): number | null {
  const [digits] = /[\d,]+/.exec(cell) ?? [];
  return digits === undefined ? null : Number(digits.replaceAll(",", ""));
}
