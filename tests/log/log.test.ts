import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { createLogger } from "../../src/log.ts";

const SECRET = "canary-log-5d1c90f7";

type Logged = Readonly<Record<string, unknown>>;

/** A log, and what it wrote, line by line. */
function logged(level: Parameters<typeof createLogger>[0] = "trace") {
  const lines: string[] = [];
  const logger = createLogger(level, { write: (line: string) => void lines.push(line) });
  const records = (): readonly Logged[] => lines.map((line) => JSON.parse(line) as Logged);
  return { logger, lines, records, last: (): Logged => records().at(-1) ?? {} };
}

/** An error's record. */
function serialized(error: unknown): { readonly err: Logged; readonly line: string } {
  const { logger, lines, last } = logged();
  logger.error({ err: error }, "failed");
  return { err: last().err as Logged, line: lines.at(-1) ?? "" };
}

const MEMBERS = ["authorization", "cookie", "headers", "body", "env_variables", "password", "secret", "secrets", "token", "value", "vars"];

describe("a record shows nothing that its members' names say is secret", () => {
  test.each(MEMBERS)("%s, on the first level and on the second, whatever it holds", (name) => {
    const { logger, lines, records } = logged();
    for (const value of [SECRET, [SECRET], { nested: { deep: SECRET } }, { [name]: SECRET }]) {
      logger.info({ [name]: value, other: "shown" }, "first");
      logger.info({ request: { [name]: value, other: "shown" } }, "second");
    }
    for (const record of records()) {
      const holder = (record.request ?? record) as Logged;
      expect(holder).toMatchObject({ [name]: "[redacted]", other: "shown" });
    }
    expect(records()).toHaveLength(8);
    expect(lines.join("")).not.toContain(SECRET);
  });

  test("all of them at once, in what a child log adds too, and the object that was logged stays as it is", () => {
    const { logger, lines, last } = logged();
    const request = Object.fromEntries(MEMBERS.map((name) => [name, SECRET]));
    const before = structuredClone({ ...request, request });
    const given = { ...request, request };
    logger.child({ token: SECRET, session: { cookie: SECRET } }).warn(given, "all");
    expect(lines.join("")).not.toContain(SECRET);
    expect(last()).toMatchObject({ token: "[redacted]", session: { cookie: "[redacted]" }, request: { vars: "[redacted]" }, msg: "all" });
    expect(given).toEqual(before);
  });

  test("members of other names are shown as they are", () => {
    const { logger, last } = logged();
    const about = { request_id: "r-1", method: "GET", route: "/env/:project", status: 200, tokens: 3, secret_names: ["A"] };
    logger.info(about, "request");
    expect(last()).toMatchObject({ ...about, level: 30, msg: "request" });
  });
});

describe("an error's record", () => {
  test("shows its type, message, stack and code, and nothing else that hangs on it", () => {
    const error = Object.assign(new TypeError("the store is gone"), {
      code: "ECONNREFUSED",
      body: SECRET,
      details: { secret: SECRET },
      request: { headers: { authorization: SECRET } },
      [SECRET]: 1,
      toJSON: () => ({ secret: SECRET }),
    });
    const { err, line } = serialized(error);
    expect(err).toEqual({ type: "TypeError", message: "the store is gone", code: "ECONNREFUSED", stack: error.stack });
    expect(line).not.toContain(SECRET);
  });

  test("of the engine's own kind leaves out what its reply has: details may hold what somebody sent", () => {
    const { err, line } = serialized(new AppError("invalid_request", { reason: "No.", fix: SECRET, details: { value: SECRET } }));
    expect(err).toEqual({ type: "AppError", message: "No.", code: "invalid_request", stack: expect.stringContaining("AppError: No.") });
    expect(line).not.toContain(SECRET);
  });

  test("shows what caused it in the same way, cause by cause", () => {
    const innermost = Object.assign(new RangeError("too far"), { secret: SECRET });
    const middle = Object.assign(new Error("no page", { cause: innermost }), { code: "EIO", value: SECRET });
    const { err, line } = serialized(new Error("no list", { cause: middle }));
    const stack = expect.any(String);
    const cause = { type: "Error", message: "no page", code: "EIO", stack, cause: { type: "RangeError", message: "too far", stack } };
    expect(err).toEqual({ type: "Error", message: "no list", stack, cause });
    expect(line).not.toContain(SECRET);
  });

  test("ends where causes go round", () => {
    const [first, second] = [new Error("first"), new Error("second")];
    first.cause = second;
    second.cause = first;
    const { err } = serialized(first);
    let causes = 0;
    for (let at: Logged | undefined = err; at !== undefined; at = at.cause as Logged | undefined) causes++;
    expect(causes).toBe(6);
  });

  test.each([
    ["a text", SECRET, "string"],
    ["an object", { secret: SECRET, message: SECRET, stack: SECRET, name: SECRET }, "object"],
    ["a list", [SECRET], "object"],
    ["a function", () => SECRET, "function"],
  ])("of what is no error shows its type alone: %s", (_what, thrown, type) => {
    const { err, line } = serialized(thrown);
    expect(err).toEqual({ type, message: "something was thrown that is no error" });
    expect(line).not.toContain(SECRET);
    const { err: caused, line: other } = serialized(new Error("outer", { cause: thrown }));
    expect(caused.cause).toEqual({ type, message: "something was thrown that is no error" });
    expect(other).not.toContain(SECRET);
  });

  test("leaves out a code that is no text, and the errors that one error gathers", () => {
    const error = Object.assign(new AggregateError([new Error(SECRET)], "all failed"), { code: { secret: SECRET } });
    const { err, line } = serialized(error);
    expect(err).toEqual({ type: "AggregateError", message: "all failed", stack: error.stack });
    expect(line).not.toContain(SECRET);
  });

  test("is the same where the error is logged by itself", () => {
    const { logger, lines, last } = logged();
    const error = Object.assign(new Error("alone"), { secret: SECRET });
    logger.error(error);
    expect(last()).toMatchObject({ msg: "alone" });
    expect(last().err).toEqual({ type: "Error", message: "alone", stack: error.stack });
    expect(lines.join("")).not.toContain(SECRET);
  });
});

describe("the log", () => {
  test("is one JSON object on each line, whatever a text holds, and names neither host nor process", () => {
    const { logger, lines, last } = logged();
    const text = 'a\r\n{"level":60,"msg":"forged"}\n\u2028\u0000"';
    logger.info({ route: text }, text);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toMatch(/[\r\n]/);
    expect(last()).toEqual({ level: 30, time: expect.any(Number), route: text, msg: text });
  });

  test("holds what its level lets through", () => {
    const { logger, records } = logged("warn");
    logger.info("not this");
    logger.warn("this");
    logger.error("and this");
    expect(records().map(({ msg }) => msg)).toEqual(["this", "and this"]);
    const silent = logged("silent");
    silent.logger.fatal("nothing");
    expect(silent.lines).toEqual([]);
  });
});
