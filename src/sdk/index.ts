/** `environment-manager/sdk`: for Node 20 and browsers alike. */
export type { Answer, CallOptions } from "./calls.ts";
export { type Client, type ClientOptions, createClient, type Method } from "./client.ts";
export { type AnyErrorCode, type ClientErrorCode, EnvmError } from "./errors.ts";
export type { OperationId } from "./operations.ts";
export { each } from "./pages.ts";
export type { Fetch, TokenSource } from "./transport.ts";
export type { ReplyOf, RequestOf } from "./types.ts";
