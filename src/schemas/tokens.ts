import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { pageMembers, pageOf, Timestamp } from "./common.ts";

/** Access: tokens, sessions, and who somebody is. */

const tokenId = "9f2c1e7ab3d04f5c";

const RoleName = z
  .enum(["client", "reader", "editor", "promoter", "engine", "admin"])
  .meta({ description: "What it may do: docs/access.md says what each role lets through.", examples: ["editor"] });

const ExtraRights = z
  .array(z.enum(["secrets:reveal"]))
  .max(1)
  .meta({ description: "Rights that no role has by itself.", examples: [["secrets:reveal"]] });

const patterns = (what: string, example: readonly string[]) =>
  z
    .array(z.string().max(64))
    .min(1)
    .max(LIMITS.tokenPatterns)
    .meta({ description: `Names of ${what}, in which one \`*\` stands for any characters.`, examples: [example] });

const Projects = patterns("projects", ["pf-777"]);
const Envs = patterns("environments", ["staging", "preview-*"]);

export const CreateTokenBody = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(LIMITS.actorLength)
      .meta({ description: "Who uses it: what the audit log names.", examples: ["ci-deploy"] }),
    role: RoleName,
    projects: Projects,
    envs: Envs.optional(),
    rights: ExtraRights.optional(),
    expires_in: z
      .string()
      .max(32)
      .nullable()
      .optional()
      .meta({ description: "How long it is taken: 90 days where this is left out; `null` for a token without an end.", examples: ["30d"] }),
  })
  .meta({
    id: "CreateToken",
    description: "What a token may do, where, and for how long. `envs` are all where it is left out.",
    examples: [{ name: "ci-deploy", role: "promoter", projects: ["pf-777"], envs: ["staging", "production"], expires_in: "30d" }],
  });

export const RotateTokenBody = z
  .strictObject({
    overlap: z
      .string()
      .max(32)
      .optional()
      .meta({
        description: "How long the token before is still taken: an hour where this is left out, `0s` to end it now.",
        examples: ["24h"],
      }),
  })
  .meta({ id: "RotateToken", description: "How the token before ends.", examples: [{ overlap: "24h" }] });

const view = {
  id: z.string(),
  name: z.string(),
  role: RoleName,
  projects: z.array(z.string()),
  envs: z.array(z.string()),
  rights: z.array(z.string()),
  status: z.enum(["active", "expired", "revoked"]),
  created_at: Timestamp,
  created_by: z.string(),
  expires_at: Timestamp.nullable(),
  rotated_at: Timestamp.nullable(),
  previous_until: Timestamp.nullable().meta({ description: "Until when the token before the last rotation is still taken." }),
  revoked_at: Timestamp.nullable(),
  revoked_by: z.string().nullable(),
  last_used_at: Timestamp.nullable().meta({ description: "Written once a minute at most." }),
};

const viewExample = {
  id: tokenId,
  name: "ci-deploy",
  role: "promoter",
  projects: ["pf-777"],
  envs: ["staging", "production"],
  rights: [],
  status: "active",
  created_at: "2026-01-31T12:00:00.000Z",
  created_by: "root",
  expires_at: "2026-03-02T12:00:00.000Z",
  rotated_at: null,
  previous_until: null,
  revoked_at: null,
  revoked_by: null,
  last_used_at: null,
};

export const TokenViewSchema = z.object(view).meta({ id: "Token", description: "A token, without itself.", examples: [viewExample] });

export const ShownTokenSchema = z.object({ ...view, token: z.string().meta({ description: "The token itself: shown this once." }) }).meta({
  id: "ShownToken",
  description: "A token with itself, which is shown this once and kept as its SHA-256 alone.",
  examples: [{ ...viewExample, token: `envm_${tokenId}_${"x".repeat(43)}` }],
});

export const TokenPage = pageOf(TokenViewSchema).meta({
  id: "TokenPage",
  description: "Tokens, by id.",
  examples: [{ items: [viewExample], next_cursor: null }],
});

export const TokenQuery = z.strictObject(pageMembers);

export const TokenParams = z.strictObject({
  id: z.string().meta({ description: "The token's id: its part between the underscores.", examples: [tokenId] }),
});

export const RevokedToken = z.object({ status: z.literal("revoked"), id: z.string(), revoked_at: Timestamp }).meta({
  id: "RevokedToken",
  description: "The token is not taken any more.",
  examples: [{ status: "revoked", id: tokenId, revoked_at: "2026-01-31T12:00:00.000Z" }],
});

export const OpenSessionBody = z
  .strictObject({ token: z.string().min(1).max(LIMITS.bearerLength).meta({ description: "A token, or a JWT of the identity provider." }) })
  .meta({ id: "OpenSession", description: "Who logs in.", examples: [{ token: `envm_${tokenId}_${"x".repeat(43)}` }] });

const who = {
  actor: z.string(),
  token_id: z.string(),
  grants: z.array(z.object({ role: RoleName, projects: z.array(z.string()), envs: z.array(z.string()), rights: z.array(z.string()) })),
};

const whoExample = {
  actor: "ada@example.com",
  token_id: tokenId,
  grants: [{ role: "promoter", projects: ["pf-777"], envs: ["*"], rights: [] }],
};

export const SessionView = z
  .object(who)
  .meta({ id: "Session", description: "Who the request comes from, and what they may do where.", examples: [whoExample] });

export const SessionOpened = z.object({ status: z.literal("logged_in"), ...who, expires_at: Timestamp.nullable() }).meta({
  id: "SessionOpened",
  description: "Logged in: the session is in the cookie.",
  examples: [{ status: "logged_in", ...whoExample, expires_at: "2026-01-31T12:00:00.000Z" }],
});

export const SessionClosed = z
  .object({ status: z.literal("logged_out") })
  .meta({ id: "SessionClosed", description: "Logged out.", examples: [{ status: "logged_out" }] });
