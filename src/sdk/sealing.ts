import { EnvmError } from "./errors.ts";

/**
 * Text sealed with AES-256-GCM under a key that HKDF-SHA256 (RFC 5869) makes of a secret and a salt of the text's own. `about`
 * is bound to it: what was sealed for one environment does not open for another. WebCrypto, so that it runs in browsers too.
 */

const FORMAT = "environment-manager-copy/1";
const encoder = new TextEncoder();

export async function seal(text: string, secret: string, about: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const key = await keyOf(secret, salt, about, "encrypt");
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, encoder.encode(text));
  return JSON.stringify({ format: FORMAT, salt: base64(salt), iv: base64(iv), data: base64(new Uint8Array(data)) });
}

/** @throws copy_unreadable: it was sealed with another secret or for another environment, or somebody changed it */
export async function unseal(sealed: string, secret: string, about: string): Promise<string> {
  try {
    const { format, salt, iv, data } = JSON.parse(sealed) as Readonly<Record<string, unknown>>;
    if (format !== FORMAT) throw new Error("another format");
    const key = await keyOf(secret, bytes(salt), about, "decrypt");
    const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytes(iv) }, key, bytes(data));
    return new TextDecoder().decode(text);
  } catch {
    throw new EnvmError("copy_unreadable", {
      reason:
        "The kept copy cannot be opened: it was kept with another token, of an engine at another address or for another environment, or somebody changed it.",
      fix: "It is written anew as soon as the engine answers.",
    });
  }
}

type Key = Awaited<ReturnType<typeof crypto.subtle.deriveKey>>;

async function keyOf(secret: string, salt: Uint8Array<ArrayBuffer>, about: string, use: "encrypt" | "decrypt"): Promise<Key> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info: encoder.encode(`${FORMAT}\0${about}`) };
  return crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, [use]);
}

const CHUNK = 0x8000;

function base64(data: Uint8Array): string {
  let text = "";
  for (let at = 0; at < data.length; at += CHUNK) text += String.fromCharCode(...data.subarray(at, at + CHUNK));
  return btoa(text);
}

function bytes(text: unknown): Uint8Array<ArrayBuffer> {
  if (typeof text !== "string") throw new Error("not text");
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
