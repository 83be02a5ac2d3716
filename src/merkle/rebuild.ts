import type { Hash } from "../ports.ts";
import { Draft, type Slot } from "./draft.ts";
import type { Edit } from "./edit.ts";
import { at, compareKeys, lowerBound } from "./keys.ts";
import { type ChildRef, checkNodeSize, type MapNode, type ValueRef } from "./node.ts";
import { EMPTY_ROOT } from "./node-codec.ts";
import { type Held, heldNode, hold, type NodeSource } from "./source.ts";

/** An old subtree, or the part of one that lies between two keys (exclusive; `undefined` is no bound). */
interface Piece {
  readonly ref: ChildRef;
  readonly low: string | undefined;
  readonly high: string | undefined;
  /** The subtree may go beyond the bound, because a new key was put there. */
  readonly cutLow: boolean;
  readonly cutHigh: boolean;
}

/** Old pieces, in order, and the run of edits that fall between the same two keys: what one slot is to be made of. */
interface Task {
  readonly pieces: readonly Piece[];
  readonly from: number;
  readonly to: number;
  /** Edits of this layer and above are done. */
  readonly below: number;
  /** The highest layer among keys to be put, -1 for none. */
  readonly top: number;
  readonly into: Slot[];
  readonly slot: number;
}

/**
 * Makes a new tree from an old one and sorted edits, from the top down, one level of all touched paths at a time: the
 * level's nodes are loaded in one batch, then each is woven together with the edits of its layer. A key that is new cuts the
 * subtree around it in two; a key that goes joins the two beside it; a node that is left without keys gives way to what
 * lies below. So the result is the tree that the content defines: the keys of the highest layer in one node, and the same
 * again between each two of them.
 */
export class Rebuild {
  readonly #source: NodeSource;
  readonly #edits: readonly Edit[];
  /** The old nodes that were looked at. */
  readonly held: Held = new Map();
  #tasks: Task[] = [];

  constructor(source: NodeSource, edits: readonly Edit[]) {
    this.#source = source;
    this.#edits = edits;
  }

  /** Returns the new tree: the old root itself where the edits change nothing. */
  async run(root: Hash): Promise<Slot> {
    // Nothing refers to a root by its count.
    const whole: Piece = { ref: { hash: root, count: 0 }, low: undefined, high: undefined, cutLow: false, cutHigh: false };
    const result: Slot[] = [];
    this.#settle(root === EMPTY_ROOT ? [] : [whole], 0, this.#edits.length, Number.POSITIVE_INFINITY, result, 0);
    while (this.#tasks.length > 0) {
      const tasks = this.#tasks;
      this.#tasks = [];
      const wanted: Hash[] = [];
      for (const { pieces } of tasks) for (const { ref } of pieces) wanted.push(ref.hash);
      const waiting = hold(this.#source, this.held, wanted);
      if (waiting !== null) await waiting;
      for (const task of tasks) this.#weave(task);
    }
    return result[0] ?? null;
  }

  /** Fills a slot at once where nothing is left to do for it; else puts it down for the next level. */
  #settle(pieces: readonly Piece[], from: number, to: number, below: number, into: Slot[], slot: number): void {
    const top = this.#top(from, to, below);
    const [first] = pieces;
    if (first === undefined ? top === null || top < 0 : top === null && pieces.length === 1 && !first.cutLow && !first.cutHigh) {
      into[slot] = first === undefined ? null : first.ref;
      return;
    }
    into[slot] = null;
    this.#tasks.push({ pieces, from, to, below, top: top ?? -1, into, slot });
  }

  /** The highest layer among keys to be put, -1 for none; `null` where no edit is left to be done. */
  #top(from: number, to: number, below: number): number | null {
    let top: number | null = null;
    for (let i = from; i < to; i++) {
      const edit = at(this.#edits, i);
      if (edit.layer < below) top = Math.max(top ?? -1, edit.right === null ? -1 : edit.layer);
    }
    return top;
  }

  #weave(task: Task): void {
    const nodes = task.pieces.map((piece) => heldNode(this.held, piece.ref.hash));
    const layer = nodes.reduce((highest, node) => Math.max(highest, node.layer), task.top);
    const draft = this.#withValues(task, nodes);
    if (draft !== null) {
      task.into[task.slot] = draft;
      return;
    }
    const replaced = task.pieces[nodes.findIndex((node) => node.layer === layer)];
    const weaver = new Weaver(task, layer, this.#edits);
    for (const [i, piece] of task.pieces.entries()) weaver.add(piece, at(nodes, i));
    const { keys, values, gaps } = weaver.finish();
    if (keys.length > 0) {
      checkNodeSize(keys.length, layer);
      const woven = new Draft(layer, replaced?.ref.hash ?? null, keys, values);
      task.into[task.slot] = woven;
      for (const [i, gap] of gaps.entries()) this.#settle(gap.pieces, gap.from, gap.to, layer, woven.slots, i);
    } else {
      for (const gap of gaps) this.#settle(gap.pieces, gap.from, gap.to, layer, task.into, task.slot);
    }
  }

  /** What most edits are: a whole node in which no key comes or goes. `null` where it is not that. */
  #withValues({ pieces, from, to, top }: Task, nodes: readonly MapNode[]): Draft | null {
    const [piece] = pieces;
    const [node] = nodes;
    if (piece === undefined || node === undefined || nodes.length > 1 || piece.cutLow || piece.cutHigh) return null;
    const { layer, keys } = node;
    if (top > layer) return null;
    const values = [...node.values];
    for (let i = from; i < to; i++) {
      const edit = at(this.#edits, i);
      if (edit.layer !== layer) continue;
      const place = lowerBound(keys, edit.key);
      if (edit.right === null || keys[place] !== edit.key) return null;
      edit.left = at(node.values, place);
      values[place] = edit.right;
    }
    const draft = new Draft(layer, piece.ref.hash, keys, values);
    if (layer > 0) this.#settleBelow(draft, piece, node, from, to);
    return draft;
  }

  /** Takes over what lies between the keys of a node, but for where there are edits. */
  #settleBelow({ layer, keys, slots }: Draft, { low, high }: Piece, { children }: MapNode, from: number, to: number): void {
    slots.push(...children);
    for (let i = from; i < to; ) {
      const first = i++;
      const place = lowerBound(keys, at(this.#edits, first).key);
      const next = keys[place];
      if (next === at(this.#edits, first).key) continue;
      while (i < to && (next === undefined || compareKeys(at(this.#edits, i).key, next) < 0)) i++;
      const ref = at(children, place);
      const piece = { low: keys[place - 1] ?? low, high: next ?? high, cutLow: false, cutHigh: false };
      this.#settle(ref === null ? [] : [{ ref, ...piece }], first, i, layer, slots, place);
    }
  }
}

interface Gap {
  readonly pieces: Piece[];
  readonly from: number;
  readonly to: number;
}

/** Merges the keys of one layer, old and new, in order, and gathers what lies between them. */
class Weaver {
  readonly #layer: number;
  readonly #edits: readonly Edit[];
  readonly #keys: string[] = [];
  readonly #values: ValueRef[] = [];
  readonly #to: number;
  /** Indices of the edits of this layer. */
  readonly #own: number[] = [];
  #next = 0;
  readonly #gaps: Gap[] = [];
  #pieces: Piece[] = [];
  #from: number;

  constructor(task: Task, layer: number, edits: readonly Edit[]) {
    this.#layer = layer;
    this.#edits = edits;
    this.#from = task.from;
    this.#to = task.to;
    for (let i = task.from; i < task.to; i++) if (at(edits, i).layer === layer) this.#own.push(i);
  }

  /** Adds the next old piece: opened if its keys are of this layer, else whole. */
  add(piece: Piece, node: MapNode): void {
    if (node.layer < this.#layer) {
      this.#addSubtree(piece);
      return;
    }
    const { keys, values, children } = node;
    const start = piece.cutLow && piece.low !== undefined ? lowerBound(keys, piece.low) : 0;
    const end = piece.cutHigh && piece.high !== undefined ? lowerBound(keys, piece.high) : keys.length;
    for (let i = start; i <= end; i++) {
      const child = children[i];
      if (child !== undefined && child !== null) {
        this.#addSubtree({
          ref: child,
          low: i === start ? piece.low : keys[i - 1],
          high: i === end ? piece.high : keys[i],
          cutLow: i === start && piece.cutLow,
          cutHigh: i === end && piece.cutHigh,
        });
      }
      if (i < end) this.#addEntry(at(keys, i), at(values, i));
    }
  }

  finish(): { keys: readonly string[]; values: readonly ValueRef[]; gaps: readonly Gap[] } {
    for (let edit = this.#pending(); edit !== null; edit = this.#pending()) this.#pass(edit);
    this.#close(this.#to, this.#to);
    return { keys: this.#keys, values: this.#values, gaps: this.#gaps };
  }

  #pending(): Edit | null {
    const index = this.#own[this.#next];
    return index === undefined ? null : at(this.#edits, index);
  }

  #addSubtree(piece: Piece): void {
    let rest = piece;
    for (let edit = this.#pending(); edit !== null; edit = this.#pending()) {
      if (rest.high !== undefined && compareKeys(edit.key, rest.high) >= 0) break;
      const inside = rest.low === undefined || compareKeys(edit.key, rest.low) > 0;
      if (inside && edit.right !== null) {
        this.#pieces.push({ ...rest, high: edit.key, cutHigh: true });
        rest = { ...rest, low: edit.key, cutLow: true };
      }
      this.#pass(edit);
    }
    this.#pieces.push(rest);
  }

  #addEntry(key: string, value: ValueRef): void {
    for (let edit = this.#pending(); edit !== null; edit = this.#pending()) {
      const order = compareKeys(edit.key, key);
      if (order > 0) break;
      if (order < 0) {
        this.#pass(edit);
        continue;
      }
      edit.left = value;
      this.#pass(edit);
      return;
    }
    this.#keys.push(key);
    this.#values.push(value);
    if (this.#layer === 0) return;
    const split = this.#split(key);
    this.#close(split, split);
  }

  /** Takes the next edit of this layer: a put is a key of the new node, a removal is what is not put. */
  #pass(edit: Edit): void {
    const index = at(this.#own, this.#next++);
    if (edit.right === null) return;
    this.#keys.push(edit.key);
    this.#values.push(edit.right);
    this.#close(index, index + 1);
  }

  /** Below layer 0 nothing lies between keys. */
  #close(to: number, nextFrom: number): void {
    if (this.#layer === 0) return;
    this.#gaps.push({ pieces: this.#pieces, from: this.#from, to });
    this.#pieces = [];
    this.#from = nextFrom;
  }

  /** The first edit after a key that no edit is about. */
  #split(key: string): number {
    let low = this.#from;
    let high = this.#to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(at(this.#edits, middle).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
