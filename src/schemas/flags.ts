import * as z from "zod";
import { AnyJson, Message, mapOf, switchText, VersionLabel } from "./common.ts";

const scalar = z.union([z.string(), z.number(), z.boolean()], { error: "must be a string, a number or a boolean" });

const flag = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off" };
const file = {
  $schema: "https://flagd.dev/schema/v0/flags.json",
  flags: { "new-checkout": { ...flag, targeting: { if: [{ $ref: "staff" }, "on"] } } },
  $evaluators: { staff: { ends_with: [{ var: "email" }, "@example.com"] } },
  metadata: { flagSetId: "shop" },
};

export const FlagFileReply = z
  .object({
    $schema: z.string(),
    flags: z.record(z.string(), AnyJson),
    $evaluators: z.record(z.string(), AnyJson).optional(),
    metadata: z.record(z.string(), scalar).optional(),
  })
  .meta({ id: "FlagFile", description: "flagd's definition file.", examples: [file] });

export const FlagFileBody = z
  .strictObject({
    $schema: z.string().exactOptional(),
    flags: z
      .union([mapOf(AnyJson), z.array(AnyJson)], { error: "must hold each flag by its key, or be a list of flags with a `key` each" })
      .meta({ description: "Flags by key; or a list of flags, each with its `key`." }),
    $evaluators: mapOf(AnyJson).exactOptional().meta({ description: 'Rules that flags refer to by `{"$ref": name}`.' }),
    metadata: mapOf(scalar).exactOptional().meta({ description: "What every evaluation shows." }),
  })
  .meta({ id: "FlagFileBody", description: "flagd's definition file, as flagd reads it.", examples: [file] });

export const ReplaceFlagsQuery = z.strictObject({
  keep: switchText
    .optional()
    .meta({ description: "Keeps the flags, evaluators and metadata that the file does not name.", examples: ["1"] }),
  bump: z
    .enum(["major", "minor", "patch"])
    .optional()
    .meta({ description: "Which part of the version to raise: the patch where not given." }),
  version: VersionLabel.optional().meta({ description: "The exact version to make. It must be free.", examples: ["v2.4.0"] }),
  message: Message.optional().meta({ description: "Why, in a person's words: kept in the history." }),
});
