import type * as z from "zod";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { faultText } from "../names.ts";
import { nearest } from "./nearest.ts";

interface Fault {
  readonly path: string;
  readonly message: string;
}

const UNKNOWN_FIELD = "is not a known field";

/**
 * Checks one part of a request.
 * @throws invalid_request with `details.issues: [{path, message}]`; never shows a value
 */
export function validate<Schema extends z.ZodType>(schema: Schema, value: unknown, part: "path" | "query" | "body"): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, LIMITS.faults).flatMap(faultsOf).slice(0, LIMITS.faults);
  const where = part === "body" ? "body" : part === "query" ? "query string" : "path";
  throw new AppError("invalid_request", {
    reason: `The ${where} is not valid${issues.length === 0 ? "" : `: ${told(issues)}`}.`,
    fix: `${fixFor(schema, issues)} GET /openapi.json describes all fields.`,
    details: { in: part, issues },
  });
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, LIMITS.faults).map((key) => ({ path: pathOf([...issue.path, key]), message: UNKNOWN_FIELD }));
  }
  return [{ path: pathOf(issue.path), message: faultText(messageOf(issue)) }];
}

function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      // zod says that there is nothing in the message alone.
      return issue.message.endsWith("received undefined") ? "is required" : `must be ${NAMES[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.length > 1 ? "one of: " : ""}${issue.values.map((value) => `"${String(value)}"`).join(", ")}`;
    case "too_small":
      return `must ${boundOf(issue.origin)} at least ${issue.minimum}${unitOf(issue.origin)}`;
    case "too_big":
      return `must ${boundOf(issue.origin)} at most ${issue.maximum}${unitOf(issue.origin)}`;
    default:
      return issue.message;
  }
}

/** What zod calls the types, in words. */
const NAMES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

function boundOf(origin: string): string {
  return origin === "number" || origin === "int" ? "be" : "have";
}

function unitOf(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " items" : "";
}

function pathOf(path: readonly PropertyKey[]): string {
  return faultText(path.map(String).join("."));
}

/** The first of the faults, the first unknown field, since a slip in a name is what the others often come from, and how many are left. */
function told(issues: readonly Fault[]): string {
  const shown = new Set([issues[0], issues.find(isUnknownField)].filter((fault) => fault !== undefined));
  const left = issues.length - shown.size;
  return `${[...shown].map(sentence).join(", and ")}${left === 0 ? "" : ` (and ${left} more)`}`;
}

function isUnknownField({ message }: Fault): boolean {
  return message === UNKNOWN_FIELD;
}

function sentence({ path, message }: Fault): string {
  return path === "" ? message : `\`${path}\` ${message}`;
}

function fixFor(schema: z.ZodType, issues: readonly Fault[]): string {
  const unknown = issues.find((fault) => isUnknownField(fault) && !fault.path.includes("."));
  const known = "shape" in schema && typeof schema.shape === "object" && schema.shape !== null ? Object.keys(schema.shape) : [];
  if (unknown === undefined) return "Correct each field that details.issues names.";
  if (known.length === 0) return "Leave unknown fields out: none are taken here.";
  const meant = nearest(unknown.path, known);
  const question = meant === undefined ? "" : `Did you mean \`${meant}\` by \`${unknown.path}\`? `;
  return `${question}Leave unknown fields out; known are: ${known.join(", ")}.`;
}
