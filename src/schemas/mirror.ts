import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { ProjectId, Timestamp } from "./common.ts";

const Url = z.string().min(1).max(LIMITS.urlLength);
const Username = z.string().min(1).max(100);
const HostKeys = z.array(z.string().min(1).max(8_192)).max(LIMITS.mirrorHostKeys);

export const SetMirrorBody = z
  .strictObject({
    url: Url.meta({
      description: "The repository: an https or ssh address, public, without credentials.",
      examples: ["https://example.com/team/platform.git"],
    }),
    username: Username.optional().meta({ description: "Whose the token is, where the host wants to know; `git` where this is left out." }),
    token: z
      .string()
      .min(1)
      .max(LIMITS.secretBytes)
      .optional()
      .meta({ description: "A token or password for https, which goes to the vault." }),
    ssh_key: z
      .string()
      .min(1)
      .max(LIMITS.secretBytes)
      .optional()
      .meta({ description: "A private key without a passphrase for ssh, which goes to the vault." }),
    host_keys: HostKeys.optional().meta({
      description: "The public keys that an ssh host may show, as `ssh-keyscan` prints them without the name.",
      examples: [["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"]],
    }),
  })
  .meta({
    id: "SetMirror",
    description: "Where the project is pushed, and with what.",
    examples: [{ url: "https://example.com/team/platform.git", token: "a-token-that-may-push" }],
  });

const example = {
  project_id: "pf-777",
  url: "https://example.com/team/platform.git",
  username: null,
  host_keys: [],
  has_credential: true,
  updated_at: "2026-01-31T12:00:00.000Z",
  updated_by: "ada",
};

export const MirrorSchema = z
  .object({
    project_id: ProjectId,
    url: z.string(),
    username: z.string().nullable(),
    host_keys: z.array(z.string()),
    has_credential: z.boolean().meta({ description: "Whether a token or key is in the vault for it; it is never shown." }),
    updated_at: Timestamp,
    updated_by: z.string(),
  })
  .meta({ id: "Mirror", description: "Where a project is pushed. How far that has come is the sink `git`.", examples: [example] });

export const MirrorRemoved = z
  .object({ status: z.literal("removed"), project_id: ProjectId })
  .meta({ id: "MirrorRemoved", description: "It is gone.", examples: [{ status: "removed", project_id: "pf-777" }] });
