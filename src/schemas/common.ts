import * as z from "zod";
import { LIMITS } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";

/**
 * What several resources share. Schemas describe shapes: request objects are strict, so that a misspelt field is refused and
 * not ignored. Whether a *name* is allowed is the domain's to say, for every way in; here its pattern only documents it.
 */

export const exampleHash = "9f2c1e7ab3d04f5c8e6d7a1b0c9f8e7d6c5b4a39281706f5e4d3c2b1a0918273";

export const ProjectId = z.string().meta({
  description: "The project.",
  pattern: "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
  examples: ["pf-777"],
});

export const EnvironmentName = z.string().meta({
  description: "The environment.",
  pattern: "^[a-z0-9][a-z0-9_-]{0,62}$",
  examples: ["staging"],
});

export const VersionLabel = z.string().meta({ description: "A version of the project.", examples: ["v2.3.1"] });
export const RevisionNumber = z
  .int()
  .min(1)
  .meta({ description: "The nth state of one environment.", examples: [12] });
export const Timestamp = z.string().meta({ description: "A moment, ISO 8601 in UTC.", examples: ["2025-01-31T12:00:00.000Z"] });
export const Digest = z.string().meta({ description: "A SHA-256 digest, 64 hexadecimal digits.", examples: [exampleHash] });
export const Confirmation = z
  .string()
  .max(64)
  .exactOptional()
  .meta({ description: "The environment's name once more, where the policy says `require_confirmation`.", examples: ["production"] });

export const Message = z.string().max(LIMITS.messageLength).meta({ description: "Why, in a person's words: kept in the history." });

export const EnvironmentTypeName = z.enum(["development", "staging", "production", "preview", "custom"]).meta({
  description:
    "What the environment is for; guessed from its name where not given; a preview where the name tells nothing and an expiry is given.",
});

/** Any JSON value. What it may hold was checked when the body was parsed. */
// zod has no type for JSON that neither walks nor copies the value; bodies are JSON by the time that they get here.
export const AnyJson = z.unknown() as z.ZodType<Json, Json>;

/** Any JSON object, passed on as it is. */
export const AnyObject = z.record(z.string(), z.unknown()) as unknown as z.ZodType<JsonObject, JsonObject>;

/**
 * An object whose member names are the caller's. zod's own record skips `__proto__` without a word, and a skipped member
 * would reach the domain unchecked: here it is refused.
 */
export function mapOf<Value extends z.ZodType>(value: Value): MapOf<Value> {
  const checked = z.preprocess(
    (input, context) => {
      if (typeof input === "object" && input !== null && Object.hasOwn(input, "__proto__")) {
        context.issues.push({ code: "custom", input, path: ["__proto__"], message: "cannot be a name" });
      }
      return input;
    },
    z.record(z.string(), value),
  );
  // `preprocess` takes anything as its input type; what it really takes is the record.
  return checked as unknown as MapOf<Value>;
}
type MapOf<Value extends z.ZodType> = z.ZodType<Readonly<Record<string, z.output<Value>>>, Readonly<Record<string, z.input<Value>>>>;

/** A whole number written in a query string or path. */
export function numberText(min: number, max: number): z.ZodType<number> {
  return z.preprocess((text) => (typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : text), z.int().min(min).max(max));
}

/** `1` or `true`, `0` or `false` in a query string. */
export const switchText: z.ZodType<boolean> = z.preprocess(
  (text) => (text === "1" || text === "true" ? true : text === "0" || text === "false" ? false : text),
  z.boolean(),
);

/** The members that every edit takes: how its version is chosen, and why it was made. */
export const editMembers = {
  bump: z
    .enum(["major", "minor", "patch"])
    .exactOptional()
    .meta({ description: "Which part of the version to raise; chosen by what changed where not given." }),
  version: VersionLabel.exactOptional().meta({ description: "The exact version to make. It must be free.", examples: ["v2.4.0"] }),
  message: Message.exactOptional(),
};

export const VariableValue = z
  .union([z.string(), z.strictObject({ value: z.string(), secret: z.boolean() })], {
    error: "must be a string, or an object with `value` (a string) and `secret` (true or false)",
  })
  .meta({
    id: "VariableValue",
    description: "A value. A bare string is kept as a secret where its name or content says so; `{value, secret}` decides it.",
    examples: ["https://staging.example.com", { value: "s3cr3t", secret: true }],
  });

export const ProjectParams = z.strictObject({ project: ProjectId });
export const EnvironmentParams = z.strictObject({ project: ProjectId, env: EnvironmentName });

export const pageMembers = {
  limit: numberText(1, LIMITS.pageItems)
    .optional()
    .meta({ description: `Items of one page, at most ${LIMITS.pageItems}; ${LIMITS.pageItemsDefault} where not given.`, examples: [50] }),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_.:-]{1,128}$/, "must be the `next_cursor` of another page")
    .optional()
    .meta({ description: "`next_cursor` of the page before." }),
};
export const PageQuery = z.strictObject(pageMembers);

export const AtQuery = z.strictObject({
  at: numberText(1, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: "Reads this revision instead of the newest.", examples: [12] }),
});

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().meta({ description: "Give it as `cursor` to have the next page; `null` on the last." }),
  });
}

const CountedNames = z.object({ count: z.int().min(0), names: z.array(z.string()) }).meta({
  id: "CountedNames",
  description: "Names, cut at a bound; `count` is exact.",
  examples: [{ count: 1, names: ["entities/Notification"] }],
});

export const ChangeSummarySchema = z
  .object({
    components_added: z.int(),
    components_changed: z.int(),
    components_removed: z.int(),
    entities_added: z.array(z.string()),
    flows_updated: z.int(),
    logic_changed: z.int(),
    feature_flags: z.array(z.string()),
    env_vars_changed: z.array(z.string()),
  })
  .meta({
    id: "ChangeSummary",
    description: "What one revision changed, in counts and names; never a value.",
    examples: [
      {
        components_added: 1,
        components_changed: 2,
        components_removed: 0,
        entities_added: ["Notification"],
        flows_updated: 2,
        logic_changed: 2,
        feature_flags: [],
        env_vars_changed: ["API_KEY"],
      },
    ],
  });

export const DiffFromPreviousSchema = z
  .object({
    entities_added: z.array(z.string()).meta({ description: "Names of new components in `entities`." }),
    logic_changed: z.int().meta({ description: "Components added, changed or removed in `flows` and `logic`." }),
    env_updated: z.array(z.string()).meta({ description: "Vars and secrets bound, changed or newly required." }),
    components: z.object({ added: CountedNames, changed: CountedNames, removed: CountedNames }),
    flags_changed: z.array(z.string()),
  })
  .meta({
    id: "DiffFromPrevious",
    description: "What changes in the target, compared with what it had.",
    examples: [
      {
        entities_added: ["Notification"],
        logic_changed: 2,
        env_updated: ["API_KEY"],
        components: {
          added: { count: 1, names: ["entities/Notification"] },
          changed: { count: 2, names: ["flows/onboarding", "flows/signup"] },
          removed: { count: 0, names: [] },
        },
        flags_changed: [],
      },
    ],
  });

/** The example of a schema that has one, for use inside another's. */
export function exampleOf(schema: z.ZodType): unknown {
  const examples = schema.meta()?.examples;
  return Array.isArray(examples) ? examples[0] : undefined;
}
