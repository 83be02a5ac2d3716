import { AppError, type ErrorCode } from "../errors.ts";
import type { Change, Check, CommitResult, StoredObject } from "../ports.ts";
import type { Outcome } from "./group-queue.ts";
import { sizeOf, type Write } from "./write.ts";

/** In place of the revision of a check: there must be no such document. */
const NONE = -1;
/** In place of the revision that a write led to: it lost its checks. */
const LOST = -1;

/** What the writing thread is told: a group, or to end when it has written those before. */
export type ToThread = PackedGroup | "close";

/** That it has begun; then what became of groups, in the order in which they were sent. */
export type FromThread = "begun" | PackedAnswers;

export interface PackedAnswers {
  /** For each group, in order. */
  readonly answers: readonly PackedAnswer[];
  /** Passes so far in which the log was moved into the file. */
  readonly checkpoints: number;
}

/** For each write the revision that it led to, or why it failed. `failed`: nothing of the group was written. */
export type PackedAnswer = { readonly outcomes: readonly (number | PackedError)[] } | { readonly failed: PackedError };

/** Of an error, what a copy from thread to thread would lose, and the rest. */
interface PackedError {
  readonly message: string;
  /** SQLite's, Node's or the engine's. */
  readonly code: unknown;
  /** What to do about it, where it is the engine's own. */
  readonly fix: string | undefined;
  readonly stack: string | undefined;
}

/**
 * Writes on their way to the thread that makes them. Few and flat members: what is copied from thread to thread costs by its members, far more
 * than by its length.
 */
interface PackedGroup {
  /** When the objects are stored, in milliseconds since 1970. */
  readonly now: number;
  /** Writes, and what `sizeOf` says of all of them. */
  readonly count: number;
  readonly size: number;
  /** Partitions, keys, documents and hashes, in the order in which they are unpacked; so are the numbers. */
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
  /** The objects, one after another, in a buffer of their own, which may be given away. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export function packed(writes: readonly Write[], now: number): PackedGroup {
  const texts: string[] = [];
  const numbers: number[] = [];
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (const write of writes) {
    const { partition, change, objects } = write;
    size += sizeOf(write);
    texts.push(partition);
    numbers.push(objects.length);
    for (const { hash, data, replaces } of objects) {
      texts.push(hash, replaces ?? "");
      numbers.push(data.byteLength);
      pieces.push(data);
    }
    numbers.push(change === null ? 0 : 1);
    if (change !== null) packChange(change, texts, numbers);
  }
  return { now, count: writes.length, size, texts, numbers, bytes: joined(pieces) };
}

function packChange({ checks, puts, deletes, objectDeletes }: Change<string>, texts: string[], numbers: number[]): void {
  numbers.push(checks.length, puts.length, deletes.length, objectDeletes.length);
  for (const { key, revision } of checks) {
    texts.push(key);
    numbers.push(revision ?? NONE);
  }
  for (const { key, value } of puts) texts.push(key, value);
  for (const key of deletes) texts.push(key);
  for (const hash of objectDeletes) texts.push(hash);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let end = 0;
  for (const piece of pieces) {
    bytes.set(piece, end);
    end += piece.byteLength;
  }
  return bytes;
}

export function unpacked(group: PackedGroup): readonly Write[] {
  return new Unpacking(group).writes();
}

class Unpacking {
  readonly #group: PackedGroup;
  #text = 0;
  #number = 0;
  #byte = 0;

  constructor(group: PackedGroup) {
    this.#group = group;
  }

  writes(): readonly Write[] {
    const writes: Write[] = [];
    while (this.#text < this.#group.texts.length) {
      const partition = this.#nextText();
      const objects = this.#times(this.#nextNumber(), () => this.#object());
      const change = this.#nextNumber() === 0 ? null : this.#change(objects);
      writes.push({ partition, change, objects });
    }
    return writes;
  }

  #change(objects: readonly StoredObject[]): Change<string> {
    const [checks, puts, deletes, objectDeletes] = [this.#nextNumber(), this.#nextNumber(), this.#nextNumber(), this.#nextNumber()];
    return {
      checks: this.#times(checks, () => this.#check()),
      puts: this.#times(puts, () => ({ key: this.#nextText(), value: this.#nextText() })),
      deletes: this.#times(deletes, () => this.#nextText()),
      objects,
      objectDeletes: this.#times(objectDeletes, () => this.#nextText()),
    };
  }

  #check(): Check {
    const revision = this.#nextNumber();
    return { key: this.#nextText(), revision: revision === NONE ? null : revision };
  }

  #object(): StoredObject {
    const [hash, replaces] = [this.#nextText(), this.#nextText()];
    const data = this.#nextBytes(this.#nextNumber());
    return replaces === "" ? { hash, data } : { hash, data, replaces };
  }

  #nextText(): string {
    return this.#group.texts[this.#text++] ?? "";
  }

  #nextNumber(): number {
    return this.#group.numbers[this.#number++] ?? 0;
  }

  #nextBytes(size: number): Uint8Array {
    const begin = this.#byte;
    this.#byte += size;
    return this.#group.bytes.subarray(begin, this.#byte);
  }

  #times<One>(count: number, next: () => One): readonly One[] {
    const all: One[] = [];
    for (let n = 0; n < count; n++) all.push(next());
    return all;
  }
}

export function packedOutcome(outcome: Outcome<CommitResult>): number | PackedError {
  if ("error" in outcome) return packedError(outcome.error);
  return outcome.value.ok ? outcome.value.revision : LOST;
}

export function unpackedOutcome(outcome: number | PackedError): Outcome<CommitResult> {
  if (typeof outcome !== "number") return { error: unpackedError(outcome) };
  return { value: outcome === LOST ? { ok: false } : { ok: true, revision: outcome } };
}

export function packedError(error: unknown): PackedError {
  if (!(error instanceof Error)) return { message: String(error), code: undefined, fix: undefined, stack: undefined };
  const { code } = error as { code?: unknown };
  return { message: error.message, code, fix: error instanceof AppError ? error.fix : undefined, stack: error.stack };
}

export function unpackedError({ message, code, fix, stack }: PackedError): Error {
  const error =
    fix === undefined
      ? Object.assign(new Error(message), code === undefined ? {} : { code })
      : new AppError(code as ErrorCode, { reason: message, fix });
  if (stack !== undefined) error.stack = stack;
  return error;
}
