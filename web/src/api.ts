import { type Client, createClient } from "../../src/sdk/client.ts";

/** The engine that served this page, through the same routes as everybody: the browser adds the session's cookie. */
export const api = createClient({ url: window.location.origin });

type Answer<Name extends keyof Client> = Client[Name] extends (...args: never[]) => Promise<infer Reply> ? Reply : never;

export type Session = Answer<"getSession">;
export type ProjectEntry = Answer<"listProjects">["items"][number];
export type Environment = Answer<"getEnvironment">;
export type Created = Answer<"createEnvironment">;
export type Revision = Answer<"getRevision">;
export type Promotion = Answer<"listPromotions">["items"][number];
export type PromoteReply = Answer<"promote">;
export type Check = PromoteReply["checks"][number];
export type Comparison = Answer<"compare">;
export type Config = Answer<"getConfig">;
export type State = Answer<"getState">;
export type Policy = Answer<"getPolicy">;
export type AuditRecord = Answer<"listAudit">["items"][number];
export type Readiness = Answer<"getReadiness">;
