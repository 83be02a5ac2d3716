import { FifoMap } from "../fifo-map.ts";
import type { Hash } from "../ports.ts";
import { EncodedNode } from "./encoded-node.ts";
import type { MapNode } from "./node.ts";
import { decoding, type NodeSource, type ObjectSource } from "./source.ts";

interface Slot {
  content: MapNode | string;
  bytes: number;
  /** When it was put at the end of the line, by the cache's clock. */
  since: number;
  /** Asked for since it was last considered for eviction. */
  used: boolean;
  /** Asked for before, so that it was worth making it fast to compare. */
  settled: boolean;
}

interface NodeCacheOptions {
  /** Milliseconds after which what nobody asks for makes room, though there is some left; for ever where it is not given. */
  readonly idleMs?: number;
  /** Milliseconds of any clock that does not run backwards. */
  readonly now?: () => number;
}

/** Entries at the head of the line that each newcomer looks at: more than one, so that what is idle goes faster than others come. */
const LOOKS = 2;

/**
 * Decoded nodes and values of any number of sources, bounded by an estimate of their bytes in memory; what was not used
 * lately goes first (second chance, an approximation of LRU that costs a hit nothing but a flag). Content-addressed and immutable, so
 * an entry is never stale; that an object is cached does not say that a store still has it.
 *
 * @example
 *     const source = new NodeCache(64 * 1024 * 1024).over({ get: (hashes) => store.get(hashes) });
 */
export class NodeCache {
  readonly #maxBytes: number;
  readonly #idleMs: number;
  readonly #now: () => number;
  readonly #slots = new FifoMap<Hash, Slot>();
  #bytes = 0;

  constructor(maxBytes: number, { idleMs = Number.POSITIVE_INFINITY, now = () => performance.now() }: NodeCacheOptions = {}) {
    this.#maxBytes = maxBytes;
    this.#idleMs = idleMs;
    this.#now = now;
  }

  /** Estimated bytes of memory in use: never more than the constructor's argument. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A source that answers from this cache, and from `source` what is not in it. */
  over(source: ObjectSource): NodeSource {
    return {
      peek: (hash) => this.#node(hash),
      nodes: (hashes) => this.#through(hashes, (hash) => this.#node(hash), decoding(source).nodes, nodeBytes),
      values: (hashes) => this.#through(hashes, (hash) => this.#text(hash), decoding(source).values, textBytes),
    };
  }

  /** Takes nodes that were just made, so that the next reader of a new root need not load and decode them. */
  keep(nodes: ReadonlyMap<Hash, MapNode>): void {
    for (const [hash, node] of nodes) this.#put(hash, node, nodeBytes(node), true);
  }

  clear(): void {
    this.#slots.clear();
    this.#bytes = 0;
  }

  async #through<T extends MapNode | string>(
    hashes: readonly Hash[],
    peek: (hash: Hash) => T | undefined,
    load: (hashes: readonly Hash[]) => Promise<readonly T[]>,
    size: (content: T) => number,
  ): Promise<readonly T[]> {
    const found = new Map<Hash, T>();
    const missing = new Set<Hash>();
    for (const hash of hashes) {
      const content = peek(hash);
      if (content === undefined) missing.add(hash);
      else found.set(hash, content);
    }
    if (missing.size > 0) {
      const asked = [...missing];
      const loaded = await load(asked);
      for (const [i, content] of loaded.entries()) {
        const hash = asked[i] as Hash;
        found.set(hash, content);
        this.#put(hash, content, size(content));
      }
    }
    return hashes.map((hash) => found.get(hash) as T);
  }

  #node(hash: Hash): MapNode | undefined {
    const slot = this.#slots.get(hash);
    if (slot === undefined || typeof slot.content === "string") return undefined;
    slot.used = true;
    return slot.settled ? slot.content : this.#settle(slot, slot.content);
  }

  /** What it takes was guessed from its bytes, in which names that begin alike are short: now it is known. */
  #settle(slot: Slot, node: MapNode): MapNode {
    const settled = settle(node);
    slot.content = settled;
    slot.settled = true;
    this.#bytes -= slot.bytes;
    slot.bytes = nodeBytes(settled);
    this.#bytes += slot.bytes;
    this.#makeRoom(0, this.#now());
    return settled;
  }

  #text(hash: Hash): string | undefined {
    const slot = this.#slots.get(hash);
    if (slot === undefined || typeof slot.content !== "string") return undefined;
    slot.used = true;
    return slot.content;
  }

  #put(hash: Hash, content: MapNode | string, bytes: number, settled = false): void {
    if (bytes > this.#maxBytes || this.#slots.has(hash)) return;
    const now = this.#now();
    this.#makeRoom(bytes, now);
    this.#slots.set(hash, { content, bytes, since: now, used: false, settled });
    this.#bytes += bytes;
  }

  /** Putting an entry again gives it its second chance at the end of the line. */
  #makeRoom(bytes: number, now: number): void {
    let looks = LOOKS;
    for (let oldest = this.#slots.oldest(); oldest !== undefined; oldest = this.#slots.oldest()) {
      const [hash, slot] = oldest;
      const isIdle = looks-- > 0 && now - slot.since > this.#idleMs;
      if (!isIdle && this.#bytes + bytes <= this.#maxBytes) return;
      if (slot.used) {
        slot.used = false;
        slot.since = now;
        this.#slots.set(hash, slot);
      } else {
        this.#slots.delete(hash);
        this.#bytes -= slot.bytes;
      }
    }
  }
}

/**
 * The same node with hashes that are strings of their own. A decoded node's hashes are cut out of one long text, which is cheap to do, but
 * comparing such strings takes six times as long: worth changing for a node that is used a second time.
 */
function settle(node: MapNode): MapNode {
  return {
    layer: node.layer,
    count: node.count,
    keys: node.keys,
    values: node.values.map((value) => ("hash" in value ? { hash: ownText(value.hash) } : value)),
    children: node.children.map((child) => (child === null ? null : { hash: ownText(child.hash), count: child.count })),
  };
}

function ownText(hash: Hash): Hash {
  return Buffer.from(hash, "latin1").toString("latin1");
}

/** Estimates from heap snapshots: objects and list slots, the strings' heads, and the hexadecimal text that hashes are cut from. */
const SLOT_BYTES = 250;
const ENTRY_BYTES = 120;
const HASH_BYTES = 150;

/** Of each byte of a node as it was loaded: most are of hashes, of which 32 bytes become as many as are said above. */
const DECODED_BYTES = 5;

function nodeBytes(node: MapNode): number {
  if (node instanceof EncodedNode) return SLOT_BYTES + node.entries * ENTRY_BYTES + node.size * DECODED_BYTES;
  let bytes = SLOT_BYTES + node.keys.length * ENTRY_BYTES;
  for (const key of node.keys) bytes += key.length;
  for (const value of node.values) bytes += "inline" in value ? value.inline.length : HASH_BYTES;
  for (const child of node.children) if (child !== null) bytes += HASH_BYTES;
  return node.bytes === undefined ? bytes : bytes + node.bytes.length;
}

function textBytes(text: string): number {
  return SLOT_BYTES + 2 * text.length;
}
