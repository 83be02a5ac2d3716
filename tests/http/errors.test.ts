import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { AppError, ERRORS, type ErrorCode } from "../../src/errors.ts";
import { FIXES, failureOf } from "../../src/http/errors.ts";
import { ErrorReplySchema } from "../../src/schemas/operations.ts";

const codes = Object.keys(ERRORS) as ErrorCode[];

describe("every error code", () => {
  test.each(codes)("%s answers its status, a reason and a fix", (code) => {
    const { status, body } = failureOf(new AppError(code), "r-1");
    expect(status).toBe(ERRORS[code].status);
    expect(ErrorReplySchema.parse(body)).toEqual({
      status: "error",
      code,
      reason: ERRORS[code].reason,
      fix_suggestion: FIXES[code],
      details: {},
      request_id: "r-1",
    });
    expect(body.fix_suggestion).toMatch(/[A-Z].{10,}\.$/);
  });

  test("is in docs/errors.md with its status, meaning and fix, and nothing else is", () => {
    const text = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| `(\w+)` \| (\d+) \| (.+?) \| (.+) \|$/gm)].map(([, code, status, meaning, fix]) => ({
      code,
      status,
      meaning,
      fix,
    }));
    const expected = codes.map((code) => ({ code, status: String(ERRORS[code].status), meaning: ERRORS[code].reason, fix: FIXES[code] }));
    expect(rows).toEqual(expected);
  });
});

test("an error's own reason, fix and details win", () => {
  const error = new AppError("checks_failed", { reason: "No.", fix: "Yes.", details: { checks: [] } });
  expect(failureOf(error, "r-1").body).toMatchObject({ reason: "No.", fix_suggestion: "Yes.", details: { checks: [] } });
});

test("anything unexpected says internal_error and nothing else", () => {
  for (const thrown of [new Error("password=s3cr3t"), "s3cr3t", null, { message: "s3cr3t", status: 404 }]) {
    const { status, body } = failureOf(thrown, "r-1");
    expect(status).toBe(500);
    expect(body).toEqual({
      status: "error",
      code: "internal_error",
      reason: ERRORS.internal_error.reason,
      fix_suggestion: FIXES.internal_error,
      details: {},
      request_id: "r-1",
    });
  }
});

test("the headers that a status demands are there", () => {
  expect(failureOf(new AppError("unauthorized"), "").headers["www-authenticate"]).toMatch(/^Bearer/);
  expect(failureOf(new AppError("method_not_allowed", { details: { allow: ["GET", "HEAD"] } }), "").headers.allow).toBe("GET, HEAD");
  expect(failureOf(new AppError("too_many_requests"), "").headers["retry-after"]).toMatch(/^\d+$/);
  for (const code of codes) expect(failureOf(new AppError(code), "").headers["cache-control"]).toBe("no-store");
});
