/** `environment-manager/sdk`: for Node 20 and browsers alike. */
export type { Answer, CallOptions, StreamOptions } from "./calls.ts";
export { type Client, type ClientOptions, createClient, type Method } from "./client.ts";
export {
  type ConnectionEvents,
  type ConnectOptions,
  connectEnvironment,
  type EnvironmentConnection,
  type Evaluation,
  type EvaluationContext,
  type State,
  type Status,
} from "./connection.ts";
export type { Change, Copy } from "./copy.ts";
export { type AnyErrorCode, type ClientErrorCode, EnvmError } from "./errors.ts";
export type { CopyStore, Keeping } from "./keeping.ts";
export type { OperationId } from "./operations.ts";
export { each } from "./pages.ts";
export type { Fetch, TokenSource } from "./transport.ts";
export type { ReplyOf, RequestOf } from "./types.ts";
