import type { History, Model } from "./checker.ts";

/** What clients do with one environment: read its head, and write, some of them only if the head is the one that they read. */
export type Input =
  | { readonly kind: "read"; readonly env: string }
  /** `expected`: the revision that must be the head; `null` where any may be. `value`: unique. */
  | { readonly kind: "write"; readonly env: string; readonly expected: number | null; readonly value: string };

/** `value` of a read: what the newest write put there; `null` before the first. */
export type Output =
  | { readonly kind: "read"; readonly revision: number; readonly value: string | null }
  | { readonly kind: "written"; readonly revision: number }
  /** The head was another one. */
  | { readonly kind: "refused" };

export interface Head {
  readonly revision: number;
  readonly value: string | null;
}

/** An environment: its first revision is its creation, and each write is the next. */
export const ENVIRONMENT: Model<Input, Output, Head> = {
  objectOf: ({ env }) => env,
  initial: { revision: 1, value: null },
  step(head, input, output) {
    if (input.kind === "read") {
      const isSeen = output === null || (output.kind === "read" && output.revision === head.revision && output.value === head.value);
      return isSeen ? head : null;
    }
    const isWritten = input.expected === null || input.expected === head.revision;
    const after = isWritten ? { revision: head.revision + 1, value: input.value } : head;
    if (output === null) return after;
    if (output.kind === "refused") return isWritten ? null : head;
    return output.kind === "written" && isWritten && output.revision === after.revision ? after : null;
  },
  keyOf: ({ revision, value }) => `${revision}:${value}`,
};

/**
 * Where a client was shown something older than it had seen or written before, in words; empty where nobody was. Linearizability
 * implies it; this says it of each client by itself, and in whichever order the instances answered.
 */
export function sessionFaults(history: History<Input, Output>): readonly string[] {
  const faults: string[] = [];
  const newest = new Map<string, { readonly revision: number; readonly how: string }>();
  for (const { client, input, output } of [...history].sort((left, right) => left.call - right.call)) {
    if (output === null || output.kind === "refused") continue;
    const key = `${client} in ${input.env}`;
    const known = newest.get(key);
    if (output.kind === "read" && known !== undefined && output.revision < known.revision) {
      faults.push(`${key} reads revision ${output.revision} after it has ${known.how} ${known.revision}`);
    }
    if (known === undefined || output.revision > known.revision) {
      newest.set(key, { revision: output.revision, how: output.kind === "read" ? "read" : "written" });
    }
  }
  return faults;
}
