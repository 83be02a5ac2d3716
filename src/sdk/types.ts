import type { RouteTypes } from "../schemas/routes.ts";
import type { OPERATIONS, OperationId } from "./operations.ts";

/** What each operation takes and answers, inferred from the schemas that the engine checks requests with. */

/** As a caller may give it: nothing of it is written to, and what may be left out may be `undefined`. */
export type Given<T> = unknown extends T
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Given<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Given<T[Key]> | (Record<never, never> extends Pick<T, Key> ? undefined : never) }
      : T;

/** A value as it is: what takes any JSON is not walked. */
type Taken<T> = [AnyValue] extends [T] ? T : Given<T>;
type AnyValue = RouteTypes["getComponent"]["reply"]["component"];

type Part<Op extends OperationId, Name extends "params" | "query" | "body"> =
  RouteTypes[Op] extends Readonly<Record<Name, infer Members>> ? Taken<Members> : unknown;

type BodyOf<Op extends OperationId> = (typeof OPERATIONS)[Op] extends { readonly body: infer Name extends string }
  ? { readonly [Key in Name]: Part<Op, "body"> }
  : Part<Op, "body">;

type HeadersOf<Op extends OperationId> = ((typeof OPERATIONS)[Op] extends { readonly once: true }
  ? {
      /** A repeated request with this key has the first one's answer. The client makes one for each call where none is given. */
      readonly idempotencyKey?: string | undefined;
    }
  : unknown) &
  ((typeof OPERATIONS)[Op] extends { readonly guarded: true }
    ? {
        /** The tag of the read that this change rests on: refused with `precondition_failed` where something changed since. */
        readonly ifMatch?: string | undefined;
      }
    : unknown);

type Flat<T> = { [Key in keyof T]: T[Key] };

/** Path, query and body of an operation, side by side. */
export type RequestOf<Op extends OperationId> = Flat<Part<Op, "params"> & Part<Op, "query"> & BodyOf<Op> & HeadersOf<Op>>;

/** The body of an operation's answer; of one that streams, a line. */
export type ReplyOf<Op extends OperationId> = RouteTypes[Op]["reply"];
