import { AppError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { isWellFormed } from "./merkle/index.ts";
import type { VariableInput } from "./model.ts";
import { checkConfigKey, quoted } from "./names.ts";
import type { Json } from "./ports.ts";

/** A word of a variable's name that says that its value is a secret. */
const SECRET_WORDS: ReadonlySet<string> = new Set(["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIALS", "PRIVATE", "DSN"]);

/**
 * scheme://user:password@host, also where the password holds what should have been escaped, as many tools take it. What
 * follows a host, of digits alone, is a port.
 */
const URL_WITH_PASSWORD = /^\s*[a-z][a-z0-9+.-]*:\/\/[^\s/?#:@[]*:(?!\d*(?:[/?#]|$))[^\s@]+@/i;

/** Whether a bare string is kept as a secret: by a whole `_`-separated word of its name, or by being a URL with a password. */
export function looksSecret(name: string, value: string): boolean {
  return name.split("_").some((word) => SECRET_WORDS.has(word.toUpperCase())) || URL_WITH_PASSWORD.test(value);
}

export interface SortedVariables {
  readonly vars: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, string>;
}

/**
 * Sorts the `env_variables` of a request into vars and secrets. `isSecret` says which names are secrets already, or are
 * declared as such: those stay secrets whatever the request says of them.
 */
export function sortVariables(input: Readonly<Record<string, VariableInput>>, isSecret: (name: string) => boolean): SortedVariables {
  const vars = new Map<string, string>();
  const secrets = new Map<string, string>();
  for (const [name, given] of Object.entries(input)) {
    const value = typeof given === "string" ? given : given.value;
    const stated = typeof given === "string" ? null : given.secret;
    if (stated === false && isSecret(name)) throw staysSecret(name);
    const secret = stated ?? (isSecret(name) || looksSecret(name, value));
    if (secret) {
      checkSecret(name, value);
      secrets.set(name, value);
    } else {
      checkVar(name, value);
      vars.set(name, value);
    }
  }
  return { vars, secrets };
}

/** Refuses what was sorted before and has become a secret since. @throws write_conflict */
export function checkStillVars(sorted: SortedVariables["vars"], now: SortedVariables["vars"]): void {
  const turned = [...sorted.keys()].find((name) => !now.has(name));
  if (turned === undefined) return;
  throw new AppError("write_conflict", {
    reason: `${quoted(turned)} became a secret while this request was being made.`,
    fix: "Send the request again.",
  });
}

export function checkVar(name: string, value: Json): asserts value is string {
  checkConfigKey("var", name);
  checkText("var", name, value, LIMITS.varBytes);
}

export function checkSecret(name: string, value: Json): asserts value is string {
  checkConfigKey("secret", name);
  checkText("secret", name, value, LIMITS.secretBytes);
  if (value === "") {
    throw new AppError("invalid_request", {
      reason: `The secret ${quoted(name)} is empty.`,
      fix: `Give its value, or remove it with unset: ["secrets/${name}"].`,
    });
  }
}

export function staysSecret(name: string): AppError {
  return new AppError("secret_stays_secret", {
    reason: `${quoted(name)} is a secret and cannot become a var.`,
    fix: `Send it as a secret, or remove it first with unset: ["secrets/${name}"].`,
  });
}

/** Never shows the value: what was meant as a secret may be among the vars. */
function checkText(kind: "var" | "secret", name: string, value: Json, bound: number): void {
  if (typeof value !== "string") {
    throw new AppError("invalid_request", {
      reason: `The value of ${kind} ${quoted(name)} is not a string.`,
      fix: `Send it as a JSON string, for example {"${name}": "10"}.`,
    });
  }
  if (!isWellFormed(value)) {
    throw new AppError("invalid_request", {
      reason: `The value of ${kind} ${quoted(name)} is not valid Unicode.`,
      fix: "Remove the lone surrogates.",
    });
  }
  if (Buffer.byteLength(value) > bound) {
    throw new AppError("too_large", { reason: `The value of ${kind} ${quoted(name)} is larger than ${bound} bytes.`, fix: "Shorten it." });
  }
}
