import { BOUNDS } from "./bounds.ts";
import { type Answer, type CallOptions, Calls, type StreamOptions } from "./calls.ts";
import { OPERATIONS, type Operation, type OperationId } from "./operations.ts";
import { Transport, type TransportOptions } from "./transport.ts";
import type { ReplyOf, RequestOf } from "./types.ts";

export interface ClientOptions extends TransportOptions {
  /** Milliseconds that one attempt may take, its answer included: 30,000 where not given. */
  readonly timeoutMs?: number | undefined;
  /** Times that a request which may be sent again is: 2 where not given. */
  readonly retries?: number | undefined;
  /** Milliseconds that a call may take with all its repetitions: as long as they take where not given. */
  readonly totalMs?: number | undefined;
}

type ResultOf<Op extends OperationId> = (typeof OPERATIONS)[Op] extends { readonly reply: "lines" | "events" }
  ? AsyncGenerator<ReplyOf<Op>, void, undefined>
  : Promise<ReplyOf<Op>>;
type OptionsOf<Op extends OperationId> = (typeof OPERATIONS)[Op] extends { readonly reply: "events" } ? StreamOptions : CallOptions;

/** An operation as a method; its request may be left out where it needs none. */
export type Method<Op extends OperationId> =
  Record<never, never> extends RequestOf<Op>
    ? (request?: RequestOf<Op>, options?: OptionsOf<Op>) => ResultOf<Op>
    : (request: RequestOf<Op>, options?: OptionsOf<Op>) => ResultOf<Op>;

export type Methods = { readonly [Op in OperationId]: Method<Op> };

/** One method for each route, named by its `operationId` in the reference. */
export interface Client extends Methods {
  /** Where the engine is. */
  readonly url: string;
  /** An operation's answer with its status and tag: `client.answer("getConfig", { project, env }, { ifNoneMatch })`. */
  answer<Op extends OperationId>(operation: Op, request: RequestOf<Op>, options?: CallOptions): Promise<Answer<ReplyOf<Op> | null>>;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * A client of one engine. It holds no connection of its own and needs no closing.
 *
 * Reads are sent again where no answer came or the engine says `Retry-After`; writes too, each with an `Idempotency-Key`, so
 * that one whose answer was lost is not done twice. What takes no such key (`createToken`) is sent once.
 *
 * @throws EnvmError from every method: the engine's code, or `connection_failed`, `timeout`, `aborted`, `invalid_answer`, `invalid_call`
 *
 * @example
 * const client = createClient({ url: "http://127.0.0.1:4006", token: process.env.ENVM_TOKEN });
 * const { vars } = await client.getConfig({ project: "pf-777", env: "staging" });
 */
export function createClient({
  timeoutMs = BOUNDS.timeoutMs,
  retries = BOUNDS.retries,
  totalMs = Number.POSITIVE_INFINITY,
  ...options
}: ClientOptions): Client {
  const transport = new Transport(options);
  const calls = new Calls(transport, { timeoutMs, retries, totalMs });
  const method = (operation: Operation) => {
    if (operation.reply === "lines") return (request: Members = {}, given?: CallOptions) => calls.lines(operation, request, given);
    if (operation.reply === "events") return (request: Members = {}, given?: StreamOptions) => calls.events(operation, request, given);
    return async (request: Members = {}, given?: CallOptions) => (await calls.answer(operation, request, given)).body;
  };
  const methods = Object.fromEntries(Object.entries<Operation>(OPERATIONS).map(([id, operation]) => [id, method(operation)]));
  const answer = (id: OperationId, request: Members, given?: CallOptions) => calls.answer(OPERATIONS[id], request, given);
  // What each of them takes and answers is the table's; that it has them all is a test's to say.
  return Object.freeze({ ...methods, answer, url: transport.base }) as unknown as Client;
}
