import type { Grant } from "../../src/access.ts";
import { LIMITS } from "../../src/limits.ts";
import type { JsonObject } from "../../src/ports.ts";
import { grant, openAccess, ROOT } from "../access/support.ts";
import { Project } from "../domain/support.ts";
import { type Answer, SETTINGS, serveApp, withTokens } from "../http/support.ts";

export const CORS_ORIGIN = "https://app.example.com";
export const BULK = "/ofrep/v1/evaluate/flags";

const VARIANTS = { on: true, off: false };
const flag = (more: JsonObject): JsonObject => ({ state: "ENABLED", variants: VARIANTS, defaultVariant: "off", ...more });

/** One flag of each kind that answers differently. */
export const FLAGS: JsonObject = {
  plain: true,
  beta: flag({ targeting: { if: [{ "==": [{ var: "plan" }, "pro"] }, "on"] }, metadata: { owner: "ann" } }),
  staff: flag({ targeting: { if: [{ $ref: "staff" }, "on", "off"] } }),
  gone: flag({ state: "DISABLED" }),
  undecided: flag({ defaultVariant: null }),
  broken: flag({ targeting: { if: [true, "blue"] } }),
  headline: {
    state: "ENABLED",
    variants: { a: "Hello", b: "Hi" },
    defaultVariant: "a",
    targeting: {
      fractional: [
        ["a", 50],
        ["b", 50],
      ],
    },
  },
  limits: { state: "ENABLED", variants: { small: { seats: 5, tags: ["x"] } }, defaultVariant: "small" },
  rate: { state: "ENABLED", variants: { low: 0.5 }, defaultVariant: "low" },
};

/** An engine with auth on, a project with those flags in `staging`, and whoever is asked for. */
export async function openFlags({ perToken = 1_000 }: { readonly perToken?: number } = {}) {
  const world = await openAccess();
  const project = new Project(world.domain, { as: ROOT });
  await project.create("staging");
  await project.create("production");
  await project.configure("staging", {
    flags: FLAGS,
    evaluators: { staff: { ends_with: [{ var: "email" }, "@example.com"] } },
    flag_metadata: { flagSetId: "shop" },
  });
  const ask = await serveApp(world.domain, {
    authentication: await withTokens(world.domain),
    settings: {
      ...SETTINGS,
      ofrepCorsOrigins: [CORS_ORIGIN],
      requestsPerSecond: { perToken, perAddress: LIMITS.requestsPerSecondPerAddress },
    },
  });
  const tokenFor = async (who: Pick<Grant, "role" | "projects" | "envs">) =>
    (await world.domain.tokens.create(ROOT, { name: "app", ...grant(who.role, [...who.projects], [...who.envs], []) })).token;
  const token = await tokenFor({ role: "client", projects: [project.id], envs: ["staging"] });
  const send = (path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    ask({ method: "POST", path, ...(body !== undefined && { body }), headers: { authorization: `Bearer ${token}`, ...headers } });
  return { ...world, project, ask, token, tokenFor, send };
}
