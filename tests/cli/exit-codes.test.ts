import { expect, test } from "vitest";
import { EXIT, EXIT_OF, exitCodeOf } from "../../src/cli/exit-codes.ts";
import { fixFor } from "../../src/cli/fixes.ts";
import { checkLines } from "../../src/cli/telling.ts";
import { ERRORS } from "../../src/errors.ts";
import { useCli } from "./support.ts";

const context = useCli();

test("every error code of the engine has an exit code, and no other has one", () => {
  expect(Object.keys(EXIT_OF).sort()).toEqual(Object.keys(ERRORS).sort());
});

test("an exit code never contradicts the error's status", () => {
  const odd = Object.entries(ERRORS).filter(([code, { status }]) => {
    const exit = exitCodeOf(code, status);
    if (status === 401) return exit !== EXIT.access;
    if (status === 404) return exit !== EXIT.missing && code !== "route_not_found";
    return status >= 500 && exit !== EXIT.failed;
  });
  expect(odd).toEqual([]);
});

test.each([
  ["a_code_of_tomorrow", 404, EXIT.missing],
  ["a_code_of_tomorrow", 403, EXIT.access],
  ["a_code_of_tomorrow", 409, EXIT.conflict],
  ["a_code_of_tomorrow", 422, EXIT.usage],
  ["a_code_of_tomorrow", 500, EXIT.failed],
  ["constructor", 404, EXIT.missing],
  ["connection_failed", 0, EXIT.failed],
  ["invalid_call", 0, EXIT.usage],
  // What is not the engine cannot say that something does not exist, or is not allowed.
  ["invalid_answer", 404, EXIT.failed],
  ["invalid_answer", 403, EXIT.failed],
  ["invalid_answer", 301, EXIT.failed],
])("%s with status %i ends with %i", (code, status, exit) => {
  expect(exitCodeOf(code, status)).toBe(exit);
});

test("commands end as the table says", async () => {
  const { cli } = context;
  await cli.ok(["env", "create", "development", "--set", "API_KEY=k"]);
  await cli.ok(["env", "create", "production"]);
  await cli.ok(["state", "put", "requires/API_KEY", '{"kind":"secret"}', "-e", "dev"]);
  const codes: readonly (readonly [readonly string[], number])[] = [
    [["env", "list"], 0],
    [["diff", "dev", "dev"], 0],
    [["diff", "dev", "prod"], 1],
    [["env", "list", "--url", "http://127.0.0.1:1"], 1],
    [["no-such-command"], 2],
    [["env"], 2],
    [["env", "list", "--no-such-option"], 2],
    [["env", "create", "NOT A NAME"], 2],
    [["promote", "dev", "prod"], 2],
    [["env", "list", "--token", "envm_0000000000000000_wrong"], 3],
    [["env", "show", "nowhere"], 4],
    [["var", "get", "NOTHING", "-e", "dev"], 4],
    [["state", "get", "flows/none", "-e", "dev"], 4],
    [["env", "create", "development"], 5],
    [["var", "set", "API_KEY=x", "-e", "dev"], 5],
    [["promote", "dev", "prod", "-y"], 6],
    [["promote", "dev", "prod", "--dry-run"], 6],
    // What takes something away in production has to be meant.
    [["state", "unset", "flows/none", "-e", "prod"], 2],
    [["run", "-e", "dev", "--command", "true", "--", "true"], 2],
  ];
  for (const [args, code] of codes) expect({ args, ...(await cli.run(args)) }).toMatchObject({ args, code });
});

test("an error says what happened and what to type, on stderr; with --json it is the engine's own, on stdout", async () => {
  const { cli } = context;
  const told = await cli.run(["env", "show", "nowhere"]);
  expect(told.out).toBe("");
  expect(told.err).toContain('no environment "nowhere"');
  expect(told.err).toContain("fix: envm env list");
  const json = await cli.run(["env", "show", "nowhere", "--json"]);
  expect(JSON.parse(json.out)).toMatchObject({ status: "error", code: "environment_not_found", request_id: expect.any(String) });
});

test("a refused promotion names each failed check with its fix", async () => {
  const { err } = await context.cli.run(["promote", "dev", "prod", "-y"]);
  expect(err).toContain("✗ config_complete");
  expect(err).toMatch(/fix: .*API_KEY/);
});

test.each<readonly [readonly string[], string]>([
  [["secret", "reveal", "NOTHING", "-e", "dev"], "envm secret list"],
  [["state", "get", "flows/none", "-e", "dev"], "envm state get COLLECTION --plain"],
  [["state", "get", "none", "-e", "dev"], "envm state get shows"],
  [["promote", "dev", "prod", "-y"], "envm secret set API_KEY -e production"],
])("what to do is told as what to type: %j", async (args, fix) => {
  const { err } = await context.cli.run(args);
  expect(err).toContain(`fix: ${fix}`);
  expect(err).not.toMatch(/fix: .*(GET|POST|PATCH) \//);
});

test.each([
  ["set", "put or edit"],
  ["update", "put or edit"],
  ["add", "put"],
  ["exprt", "export"],
])("a command of the state that there is not, %s, is answered with what is meant by it", async (typed, meant) => {
  const { code, err } = await context.cli.run(["state", typed, "flows/a", "1"]);
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining(`unknown command '${typed}'\n(Did you mean ${meant}?)`) });
});

test.each([
  ["timeout", "Try again, or allow more with `timeoutMs`."],
  ["route_not_found", "GET /openapi.json lists all routes."],
])("of %s too", (code, fix) => {
  expect(fixFor(code, fix)).toContain("envm doctor");
});

const check = (name: string, fix: string, details = {}) =>
  checkLines({ name, status: "failed", reason: "It is so.", fix, details }).join("\n");

test("a check's fix is told as what to type, and one that says nothing of requests as it is", () => {
  expect(check("hold", "POST /env/resume, or promote by hand, which lifts the hold.")).toContain("envm resume");
  expect(check("diverged", 'Ask for "strategy":"merge" to keep both.')).toContain("--merge");
  expect(check("diverged", 'Settle each: "resolve":{"<component>":"ours"} keeps it.')).toContain("--resolve");
  expect(check("secrets_isolated", 'Give it its own with PATCH …/config {"secrets":{…}}.')).toContain("envm secret set");
  expect(check("config_complete", "Bind it: PATCH /env/p/e/config {}.", { unbound: ["vars/A", "secrets/B", "flags/c"] })).toMatch(
    /envm var set A=VALUE.*envm secret set B.*envm flag set c=false/,
  );
  expect(check("hold", "Make sure that the reason for the hold is gone.")).toContain("fix: Make sure");
  expect(check("soak_time", "Leave it in staging for another hour.")).toContain("fix: Leave it");
});

test.each([
  ["an argument that is missing", ["promote", "dev", "--json"]],
  ["an option that there is not", ["env", "list", "--json", "--no-such-option"]],
  ["a command that there is not", ["--json", "no-such-command"]],
  ["a command that is missing", ["env", "--json"]],
  ["a value that is none", ["env", "list", "--limit", "0", "--json"]],
])("a program is told of %s as of any other error", async (_, args) => {
  const { code, out, err } = await context.cli.run(args);
  expect({ code, ...JSON.parse(out) }).toMatchObject({ code: "usage", status: "error", reason: expect.stringMatching(/\w/) });
  expect(code).toBe(2);
  expect(err).not.toBe("");
});

test("what is empty where a document is to be is no null that anybody meant", async () => {
  const { cli } = context;
  await cli.ok(["state", "put", "flows/kept", '{"a":1}', "-e", "dev"]);
  cli.file("empty.json", "\n");
  for (const body of ["", " ", "-", "@empty.json", "empty.json"])
    expect({ body, ...(await cli.run(["state", "put", "flows/kept", body, "-e", "dev"])) }).toMatchObject({ body, code: 2 });
  expect(JSON.parse(await cli.ok(["state", "get", "flows/kept", "-e", "dev"]))).toEqual({ a: 1 });
  for (const [body, value] of [
    ["null", null],
    ['"a text"', "a text"],
    ["a: 1", { a: 1 }],
  ] as const) {
    await cli.ok(["state", "put", "flows/kept", body, "-e", "dev"]);
    expect(JSON.parse(await cli.ok(["state", "get", "flows/kept", "-e", "dev"]))).toEqual(value);
  }
});

test("what stands in the way of a command is told with what to type, not with what to send", async () => {
  const { cli } = context;
  await cli.ok(["env", "create", "retired", "--set", "OLD=1"]);
  await cli.ok(["env", "archive", "retired", "-y"]);
  await cli.ok(["preview", "create", "pr-fix", "--from", "retired"]);
  await cli.ok(["env", "create", "guarded"]);
  await cli.ok(["env", "create", "open"]);
  cli.file("guarded.json", JSON.stringify({ environments: { guarded: { protected: true } } }));
  await cli.ok(["policy", "set", "guarded.json"]);
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [["var", "set", "A=1", "-e", "retired"], /envm env restore retired/],
    [["env", "archive", "retired", "-y"], /envm env restore retired/],
    [["env", "create", "retired"], /envm env restore, or choose another name/],
    [["env", "create", "pr-fix"], /envm preview create/],
    [["env", "restore", "open"], /envm rollback.*envm preview extend/],
    [["state", "put", "flows/a", "{}", "-e", "guarded"], /envm promote/],
    [["promote", "open", "retired", "-y"], /envm env restore retired/],
    [["promote", "open", "guarded", "--vars", "NONE", "-y"], /envm var list -e open/],
    [["rollback", "open", "v9.9", "-y"], /envm history open lists what it ran/],
    [["rollback", "open", "99", "-y"], /envm history open/],
    [["versions", "v9.9.9"], /envm versions/],
    [["preview", "extend", "pr-fix"], /--ttl 24h, or --until/],
    [["preview", "extend", "open", "--ttl", "1h"], /envm preview create/],
    [["preview", "extend", "pr-fix", "--ttl", "9999d"], /for example --ttl 72h\.$/m],
    [["preview", "extend", "pr-fix", "--ttl", "1h", "--until", "2099-01-01T00:00:00Z"], /--ttl or --until/],
    [["state", "put", "vars/A", "1", "-e", "open"], /envm var set/],
    [["flag", "set", "f=maybe", "-e", "open"], /say on or off/],
    [["env", "create", "typed", "--type", "nope"], /--help shows/],
    [["promote", "open", "open"], /Name two different environments\.$/m],
  ];
  for (const [args, typed] of refused) {
    const { code, err } = await cli.run(args);
    expect(code, args.join(" ")).toBeGreaterThan(0);
    expect(err).toMatch(typed);
    expect(err).not.toMatch(/\b(GET|POST|PUT|PATCH|DELETE) [/…]|fix: .*(details\.|expires_in|source_env)/);
  }
  cli.file("open.json", "{}");
  await cli.ok(["policy", "set", "open.json"]);
});

test.each([
  [
    "environment_expired",
    'Bring it back with POST /env/restore while its grace time lasts, or create it anew with POST /env/create and "type":"preview".',
    "Bring it back with envm env restore while its grace time lasts, or create it anew with envm preview create.",
  ],
  [
    "environment_expired",
    'You can create it anew with POST /env/create and "type":"preview".',
    "You can create it anew with envm preview create.",
  ],
  [
    "secret_unavailable",
    'Set it anew: PATCH /env/pf-777/staging/config with {"secrets":{"API_KEY":"…"}}.',
    "Set it anew: envm secret set API_KEY -e staging.",
  ],
  ["invalid_transition", "Create another: POST /tokens.", "Create another: envm token create."],
  ["message_required", "Send a `message`.", "Say why: -m."],
  ["write_conflict", "Send the request again.", "Send the command again."],
])("of %s too: %s", (code, said, typed) => {
  expect(fixFor(code, said)).toBe(typed);
});
