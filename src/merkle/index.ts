/** Ordered, history-independent Merkle maps over `collection/name`: what the domain uses of them. */
export { canonicalJson, isWellFormed, JsonText } from "./canonical.ts";
export { type DiffOptions, diff } from "./diff.ts";
export { type Applied, applyEdits, type Edits, type EntryChange } from "./edit.ts";
export { keyLayer, objectHash, snapshotId } from "./hash.ts";
export { compareKeys } from "./keys.ts";
export { type MapNode, sameValue, type ValueRef } from "./node.ts";
export { NodeCache } from "./node-cache.ts";
export { EMPTY_ROOT } from "./node-codec.ts";
export { lengthOf, PageSize } from "./page-size.ts";
export {
  count,
  type EntryText,
  entryTexts,
  type ListedEntry,
  type ListOptions,
  listEntries,
  lookup,
  lookupRefs,
  type ReachableOptions,
  reachable,
  readTexts,
  readValues,
} from "./read.ts";
export { decoding, type NodeSource, type ObjectSource } from "./source.ts";
export { weigh } from "./weigh.ts";
