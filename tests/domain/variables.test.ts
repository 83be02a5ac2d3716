import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { LIMITS } from "../../src/limits.ts";
import type { VariableInput } from "../../src/model.ts";
import { looksSecret, sortVariables } from "../../src/variables.ts";

const nothingKnown = () => false;

describe("a bare string is kept as a secret", () => {
  test.each([
    "API_KEY",
    "KEY",
    "api_key",
    "Stripe_Token",
    "SECRET",
    "SESSION_SECRET_OLD",
    "DB_PASSWORD",
    "DB_PASSWD",
    "AWS_CREDENTIALS",
    "PRIVATE_PEM",
    "SENTRY_DSN",
    "_KEY_",
  ])("by a whole word of its name: %s", (name) => {
    expect(looksSecret(name, "plain")).toBe(true);
  });

  test.each([
    "postgres://user:hunter2@db.example/app",
    "redis://:hunter2@cache:6379",
    "https://user:p%40ss@example.com/path",
    "amqp+ssl://u:p@mq",
    "HTTPS://U:P@EXAMPLE.COM",
    // As it was copied from a page, or written by whoever forgot to escape it.
    " postgres://user:hunter2@db.example/app",
    "\npostgres://user:hunter2@db.example/app",
    "postgres://user:hunter/2@db.example/app",
    "postgres://user:hunter?2@db.example/app",
    "postgres://user:hunter#2@db.example/app",
  ])("as a URL with a password: %s", (value) => {
    expect(looksSecret("DATABASE_URL", value)).toBe(true);
  });

  test.each([
    ["KEYBOARD", "qwerty"],
    ["MONKEY_NAME", "george"],
    ["TOKENIZER", "bpe"],
    ["SECRETARY_EMAIL", "a@b.example"],
    ["PASSWORDS_URL", "https://example.com"],
    ["API-KEY", "x"],
    ["DATABASE_URL", "postgres://db.example/app"],
    ["DATABASE_URL", "postgres://user@db.example/app"],
    ["DATABASE_URL", "postgres://user:@db.example/app"],
    ["HOST", "example.com:8080"],
    ["ORIGIN", "http://example.com:8080/a@b"],
    ["ORIGIN", "http://[::1]:8080/a@b"],
    ["ORIGIN", "http://example.com:8080?mail=a@b"],
    ["NOTE", "see https://user:pw@example.com"],
    ["MAIL", "mailto:someone:x@example.com"],
    ["EMPTY", ""],
  ])("and otherwise it is a var: %s=%s", (name, value) => {
    expect(looksSecret(name, value)).toBe(false);
  });
});

describe("sorting the variables of a request", () => {
  test("what a request says of a value counts more than what its name looks like", () => {
    const input: Record<string, VariableInput> = {
      API_KEY: { value: "public", secret: false },
      REGION: { value: "hidden", secret: true },
      TOKEN: "t",
      COLOR: "blue",
    };
    const { vars, secrets } = sortVariables(input, nothingKnown);
    expect([...vars]).toEqual([
      ["API_KEY", "public"],
      ["COLOR", "blue"],
    ]);
    expect([...secrets]).toEqual([
      ["REGION", "hidden"],
      ["TOKEN", "t"],
    ]);
  });

  test("a name that is a secret already stays one", () => {
    const known = (name: string) => name === "REGION";
    expect([...sortVariables({ REGION: "eu" }, known).secrets.keys()]).toEqual(["REGION"]);
    expect(() => sortVariables({ REGION: { value: "eu", secret: false } }, known)).toThrow(
      expect.objectContaining({ code: "secret_stays_secret" }),
    );
  });

  test.each<readonly [string, Record<string, VariableInput>, string]>([
    ["a name with a space", { "A B": "x" }, "invalid_name"],
    ["an empty name", { "": "x" }, "invalid_name"],
    ["a name that begins with a digit", { "1A": "x" }, "invalid_name"],
    ["a name that is too long", { ["A".repeat(LIMITS.configNameLength + 1)]: "x" }, "invalid_name"],
    ["constructor", { constructor: "x" } as Record<string, VariableInput>, "invalid_name"],
    ["an empty secret", { API_KEY: "" }, "invalid_request"],
    ["a lone surrogate", { A: "\ud800" }, "invalid_request"],
    ["a var that is too long", { A: "x".repeat(LIMITS.varBytes + 1) }, "too_large"],
    ["a secret that is too long", { A_KEY: "x".repeat(LIMITS.secretBytes + 1) }, "too_large"],
  ])("refuses %s, and never shows the value", (_what, input, code) => {
    const error = (() => {
      try {
        sortVariables(input, nothingKnown);
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code });
    expect((error as AppError).message).not.toContain("xxx");
  });
});
