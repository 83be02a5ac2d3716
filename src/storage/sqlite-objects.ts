import type { StoredObject } from "../ports.ts";

/** How an object's bytes are laid down in its row: as they are. The only two functions that know. */
export function encodeObject(object: StoredObject): Uint8Array {
  return object.data;
}

export function decodeObject(stored: Uint8Array): Uint8Array {
  return stored;
}
