import * as z from "zod";
import { Digest, exampleHash, pageMembers, pageOf, Timestamp } from "./common.ts";

const recordExample = {
  project: "pf-777",
  seq: 42,
  prev_hash: exampleHash,
  action: "promote",
  actor: "ada",
  subject: "ada",
  token: "9f2c1e7ab3d04f5c",
  at: "2025-01-31T12:00:00.000Z",
  environment: "production",
  version: "v2.3.1",
  revision: 13,
  request_id: "0d9f2c1e-7ab3-4d04-9f5c-8e6d7a1b0c9f",
  details: {},
  hash: exampleHash,
};

export const AuditRecordSchema = z
  .object({
    project: z.string(),
    seq: z.int().min(1),
    prev_hash: Digest,
    action: z.string(),
    actor: z.string(),
    subject: z.string().meta({ description: "Whose token it was: the actor's, unless a sibling engine acted for them." }),
    token: z.string().meta({ description: "The token's id." }),
    at: Timestamp,
    environment: z.string().nullable(),
    version: z.string().nullable(),
    revision: z.int().nullable(),
    request_id: z.string(),
    details: z.record(z.string(), z.unknown()),
    hash: Digest.meta({ description: "Covers all other members, the hash before included." }),
  })
  .meta({ id: "AuditRecord", description: "One record of the project's hash chain.", examples: [recordExample] });

export const AuditPage = pageOf(AuditRecordSchema).meta({
  id: "AuditPage",
  description: "The audit log, newest first.",
  examples: [{ items: [recordExample], next_cursor: "42" }],
});

const filter = (what: string, example: string) =>
  z
    .string()
    .max(128)
    .optional()
    .meta({ description: `Only records ${what}.`, examples: [example] });

export const AuditQuery = z.strictObject({
  ...pageMembers,
  env: filter("of this environment", "production"),
  action: filter("of this action", "promote"),
  actor: filter("of this actor", "ada"),
});

export const VerifyQuery = z.strictObject({
  expect: z
    .string()
    .regex(/^\d{1,15}:[0-9a-f]{64}$/, "must be `<seq>:<hash>`, as an earlier verification gave it in `head`")
    .optional()
    .meta({ description: "A head noted earlier, `<seq>:<hash>`: finds a log whose end was cut off.", examples: [`42:${exampleHash}`] }),
});

export const VerifyReply = z
  .object({
    valid: z.boolean(),
    records: z.int().min(0),
    head: z.string(),
    broken_at: z.int().exactOptional(),
    reason: z.string().exactOptional(),
  })
  .meta({
    id: "AuditVerification",
    description: "Whether the chain is whole.",
    examples: [{ valid: true, records: 42, head: `42:${exampleHash}` }],
  });

const exampleKey = {
  kty: "OKP",
  crv: "Ed25519",
  alg: "EdDSA",
  use: "sig",
  kid: "90facafea9b1556698540f70c0117a22",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  created_at: "2025-01-31T12:00:00.000Z",
  retired_at: null,
} as const;

const AuditKeySchema = z
  .object({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    alg: z.literal("EdDSA"),
    use: z.literal("sig"),
    kid: z.string(),
    x: z.string().meta({ description: "The public key, 32 bytes in base64url." }),
    created_at: Timestamp,
    retired_at: Timestamp.nullable().meta({ description: "Since when another key signs." }),
  })
  .meta({ id: "AuditKey", description: "A public key as a JSON Web Key (RFC 8037).", examples: [exampleKey] });

export const AuditKeySet = z
  .object({ keys: z.array(AuditKeySchema) })
  .meta({ id: "AuditKeySet", description: "A JSON Web Key Set (RFC 7517).", examples: [{ keys: [exampleKey] }] });
