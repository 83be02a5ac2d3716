import { AppError } from "../errors.ts";

/** A secret's value as UTF-8, which has no lone surrogates: they would come back as something else. */
export function wellFormed(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  if (bytes.toString("utf8") !== value) {
    throw new AppError("invalid_request", {
      reason: "A secret's value is not valid Unicode text.",
      fix: "Encode binary values, for example as base64.",
    });
  }
  return bytes;
}
