import { isObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Json, Validator, Verdict } from "../ports.ts";
import { unavailable } from "./failures.ts";
import type { OutgoingResponse } from "./reply.ts";
import type { Sibling } from "./sibling.ts";

type Fault = Verdict["errors"][number];

/**
 * The Validation engine: `POST /validation/check {blueprint}` → 200 `{valid: true, errors: [], warnings: []}`, or 400
 * `{valid: false, errors: [{field, reason}], warnings}`. Anything else is no verdict: what it does not say is never taken for "valid".
 */
export class ValidationEngine implements Validator {
  readonly #sibling: Sibling;

  constructor(sibling: Sibling) {
    this.#sibling = sibling;
  }

  async check(blueprint: Json, requestId: string): Promise<Verdict> {
    const response = await this.#sibling.call(["validation", "check"], {
      method: "POST",
      json: { blueprint },
      requestId,
      idempotent: true,
    });
    const verdict = verdictIn(response);
    if (verdict !== null) return verdict;
    throw unavailable("malformed", "The Validation engine", `answers with status ${response.status} and a body that is no verdict`);
  }
}

/** `null` for what contradicts itself, or is not of the contract's shape. */
function verdictIn(response: OutgoingResponse): Verdict | null {
  if (response.status !== 200 && response.status !== 400) return null;
  const body = response.json();
  if (!isObject(body)) return null;
  const { valid, errors, warnings = [] } = body;
  const found = { errors: faultsIn(errors), warnings: faultsIn(warnings) };
  if (found.errors === null || found.warnings === null || valid !== (response.status === 200)) return null;
  const agrees = valid === (found.errors.length === 0);
  return agrees ? { errors: found.errors, warnings: found.warnings } : null;
}

function faultsIn(value: Json | undefined): Fault[] | null {
  if (!Array.isArray(value)) return null;
  const faults = value.slice(0, LIMITS.validationFaults).map(faultIn);
  return faults.includes(null) ? null : faults.filter((fault) => fault !== null);
}

function faultIn(value: Json): Fault | null {
  if (typeof value === "string") return { field: "", reason: cut(value) };
  const { field = "", reason } = (value ?? {}) as { readonly field?: Json; readonly reason?: Json };
  return typeof field === "string" && typeof reason === "string" ? { field: cut(field), reason: cut(reason) } : null;
}

function cut(text: string): string {
  return text.slice(0, LIMITS.validationTextLength);
}
