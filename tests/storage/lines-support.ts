import { createHash } from "node:crypto";
import type { Hash, Store, StoredObject } from "../../src/ports.ts";
import { change, win } from "../conformance/store.ts";

/** Version `number` of a text of 200 lines, of which each version changes one for good and one for itself. */
export function version(number: number): StoredObject {
  const lines = Array.from({ length: 200 }, (_, line) => `line ${line}: ${digest(`${line}`)}`);
  for (let n = 0; n <= number; n++) lines[(n * 7) % 200] = `line changed by ${n}`;
  lines[number % 200] += `, again by ${number}`;
  const data = Buffer.from(lines.join("\n"));
  return { hash: digest(data), data };
}

/** Commits versions `from` to `to` one after another, each in the place of the one before; answers their hashes. */
export async function writeVersions(store: Store, partition: string, from: number, to: number): Promise<Hash[]> {
  const hashes: Hash[] = [];
  for (let n = from; n <= to; n++) {
    const object = { ...version(n), ...(n > 0 && { replaces: version(n - 1).hash }) };
    await win(store, partition, change({ objects: [object] }));
    hashes.push(object.hash);
  }
  return hashes;
}

/** Of these objects, those that do not come back as they are. */
export async function unreadable(store: Store, partition: string, hashes: readonly Hash[]): Promise<Hash[]> {
  const found = await store.objects.get(partition, hashes);
  return hashes.filter((hash, index) => {
    const data = found[index] ?? null;
    return data === null || digest(data) !== hash;
  });
}

export function digest(data: string | Uint8Array): Hash {
  return createHash("sha256").update(data).digest("hex");
}
