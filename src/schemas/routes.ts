import type * as z from "zod";
import { AuditKeySet, AuditPage, AuditQuery, AuditRecordSchema, VerifyQuery, VerifyReply } from "./audit.ts";
import { AtQuery, EnvironmentParams, PageQuery, ProjectParams } from "./common.ts";
import { CompareQuery, ComparisonReply } from "./comparison.ts";
import { ConfigReply, ConfigWritten, PatchConfigBody, RevealBody, RevealReply, RuntimeQuery, RuntimeReply } from "./config.ts";
import { ActiveQuery, ActiveReply, DeploymentReply, DeploymentReportBody } from "./deployments.ts";
import {
  CreateEnvironmentBody,
  EnvironmentCreated,
  EnvironmentPage,
  EnvironmentsQuery,
  EnvironmentViewSchema,
  ExpiringTransitionBody,
  ProjectPage,
  TransitionBody,
  TransitionReply,
} from "./environments.ts";
import { FlagFileBody, FlagFileReply, ReplaceFlagsQuery } from "./flags.ts";
import { MirrorRemoved, MirrorSchema, SetMirrorBody } from "./mirror.ts";
import { OfrepAnswer, OfrepBody, OfrepBulk, OfrepKeyParams, OfrepQuery } from "./ofrep.ts";
import { HealthReply, MetricsText, OpenApiDocument, ReadinessReply } from "./operations.ts";
import { PolicyBody, PolicyReply, PolicyWritten } from "./policy.ts";
import {
  DecisionBody,
  DecisionParams,
  PromoteBody,
  PromoteReply,
  Promotion,
  PromotionPage,
  PromotionParams,
  PromotionQuery,
  ReadinessParams,
  ReadinessQuery,
  RejectionReply,
} from "./promotions.ts";
import { GitSourceBody, GitSourceRemoved, GitSourceReply, GitSourceWritten, PullBody, PullReply, PushBody, PushReply } from "./pulls.ts";
import { SinkList } from "./sinks.ts";
import {
  CollectionParams,
  CollectionReply,
  ComponentParams,
  ComponentReply,
  PatchStateBody,
  ReplaceStateBody,
  StateReply,
  StateWritten,
} from "./state.ts";
import {
  CreateTokenBody,
  OpenSessionBody,
  RevokedToken,
  RotateTokenBody,
  SessionClosed,
  SessionOpened,
  SessionView,
  ShownTokenSchema,
  TokenPage,
  TokenParams,
  TokenQuery,
  TokenViewSchema,
} from "./tokens.ts";
import { RevisionEntry, RevisionPage, RevisionParams, RollbackBody, RollbackReply, VersionPage, VersionParams } from "./versions.ts";
import { HeadEventSchema, ProjectEventSchema, ProjectWatchQuery, WatchQuery } from "./watch.ts";
import {
  CreateWebhookBody,
  DeliveryList,
  PatchWebhookBody,
  PingReply,
  RotateWebhookBody,
  ShownWebhookSchema,
  WebhookDeleted,
  WebhookList,
  WebhookParams,
  WebhookSchema,
} from "./webhooks.ts";

export interface RouteSchemas {
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Of each line or event, where the reply is a stream. */
  readonly reply: z.ZodType;
}

/**
 * The schemas of each route by its `operationId`: where the SDK's types come from, which imports those and
 * nothing else. A test holds it against the routes, schema by schema.
 */
export const ROUTE_SCHEMAS = {
  createEnvironment: { body: CreateEnvironmentBody, reply: EnvironmentCreated },
  listProjects: { query: PageQuery, reply: ProjectPage },
  listEnvironments: { params: ProjectParams, query: EnvironmentsQuery, reply: EnvironmentPage },
  getEnvironment: { params: EnvironmentParams, reply: EnvironmentViewSchema },
  archiveEnvironment: { body: TransitionBody, reply: TransitionReply },
  restoreEnvironment: { body: ExpiringTransitionBody, reply: TransitionReply },
  holdEnvironment: { body: TransitionBody, reply: TransitionReply },
  resumeEnvironment: { body: TransitionBody, reply: TransitionReply },
  extendEnvironment: { body: ExpiringTransitionBody, reply: TransitionReply },
  getState: { params: EnvironmentParams, query: AtQuery, reply: StateReply },
  getCollection: { params: CollectionParams, query: AtQuery, reply: CollectionReply },
  getComponent: { params: ComponentParams, query: AtQuery, reply: ComponentReply },
  replaceState: { params: EnvironmentParams, body: ReplaceStateBody, reply: StateWritten },
  patchState: { params: EnvironmentParams, body: PatchStateBody, reply: StateWritten },
  getConfig: { params: EnvironmentParams, query: AtQuery, reply: ConfigReply },
  patchConfig: { params: EnvironmentParams, body: PatchConfigBody, reply: ConfigWritten },
  getFlags: { params: EnvironmentParams, query: AtQuery, reply: FlagFileReply },
  replaceFlags: { params: EnvironmentParams, query: ReplaceFlagsQuery, body: FlagFileBody, reply: ConfigWritten },
  evaluateFlag: { params: OfrepKeyParams, query: OfrepQuery, body: OfrepBody, reply: OfrepAnswer },
  evaluateFlags: { query: OfrepQuery, body: OfrepBody, reply: OfrepBulk },
  getRuntime: { params: EnvironmentParams, query: RuntimeQuery, reply: RuntimeReply },
  revealSecrets: { params: EnvironmentParams, query: AtQuery, body: RevealBody, reply: RevealReply },
  promote: { body: PromoteBody, reply: PromoteReply },
  getPromotionReadiness: { params: ReadinessParams, query: ReadinessQuery, reply: PromoteReply },
  listPromotions: { params: ProjectParams, query: PromotionQuery, reply: PromotionPage },
  getPromotion: { params: PromotionParams, reply: Promotion },
  approvePromotion: { params: DecisionParams, body: DecisionBody, reply: PromoteReply },
  rejectPromotion: { params: DecisionParams, body: DecisionBody, reply: RejectionReply },
  rollback: { body: RollbackBody, reply: RollbackReply },
  listRevisions: { params: EnvironmentParams, query: PageQuery, reply: RevisionPage },
  getRevision: { params: RevisionParams, reply: RevisionEntry },
  listVersions: { params: ProjectParams, query: PageQuery, reply: VersionPage },
  getVersion: { params: VersionParams, reply: RevisionEntry },
  compare: { query: CompareQuery, reply: ComparisonReply },
  getActive: { params: EnvironmentParams, query: ActiveQuery, reply: ActiveReply },
  reportDeployment: { body: DeploymentReportBody, reply: DeploymentReply },
  getPolicy: { params: ProjectParams, reply: PolicyReply },
  replacePolicy: { params: ProjectParams, body: PolicyBody, reply: PolicyWritten },
  listAudit: { params: ProjectParams, query: AuditQuery, reply: AuditPage },
  verifyAudit: { params: ProjectParams, query: VerifyQuery, reply: VerifyReply },
  exportAudit: { params: ProjectParams, reply: AuditRecordSchema },
  getAuditKeys: { reply: AuditKeySet },
  listSinks: { params: ProjectParams, reply: SinkList },
  createWebhook: { params: ProjectParams, body: CreateWebhookBody, reply: ShownWebhookSchema },
  listWebhooks: { params: ProjectParams, reply: WebhookList },
  getWebhook: { params: WebhookParams, reply: WebhookSchema },
  patchWebhook: { params: WebhookParams, body: PatchWebhookBody, reply: WebhookSchema },
  deleteWebhook: { params: WebhookParams, reply: WebhookDeleted },
  rotateWebhook: { params: WebhookParams, body: RotateWebhookBody, reply: ShownWebhookSchema },
  pingWebhook: { params: WebhookParams, reply: PingReply },
  listDeliveries: { params: WebhookParams, reply: DeliveryList },
  setMirror: { params: ProjectParams, body: SetMirrorBody, reply: MirrorSchema },
  getMirror: { params: ProjectParams, reply: MirrorSchema },
  removeMirror: { params: ProjectParams, reply: MirrorRemoved },
  getGitSource: { params: EnvironmentParams, reply: GitSourceReply },
  putGitSource: { params: EnvironmentParams, body: GitSourceBody, reply: GitSourceWritten },
  deleteGitSource: { params: EnvironmentParams, reply: GitSourceRemoved },
  pull: { params: EnvironmentParams, body: PullBody, reply: PullReply },
  takePush: { params: EnvironmentParams, body: PushBody, reply: PushReply },
  createToken: { body: CreateTokenBody, reply: ShownTokenSchema },
  listTokens: { query: TokenQuery, reply: TokenPage },
  getToken: { params: TokenParams, reply: TokenViewSchema },
  rotateToken: { params: TokenParams, body: RotateTokenBody, reply: ShownTokenSchema },
  revokeToken: { params: TokenParams, reply: RevokedToken },
  listAccessAudit: { query: AuditQuery, reply: AuditPage },
  verifyAccessAudit: { query: VerifyQuery, reply: VerifyReply },
  openSession: { body: OpenSessionBody, reply: SessionOpened },
  getSession: { reply: SessionView },
  closeSession: { reply: SessionClosed },
  getHealth: { reply: HealthReply },
  getMetrics: { reply: MetricsText },
  getReadiness: { reply: ReadinessReply },
  getOpenApi: { reply: OpenApiDocument },
  watchProject: { params: ProjectParams, query: ProjectWatchQuery, reply: ProjectEventSchema },
  watchEnvironment: { params: EnvironmentParams, query: WatchQuery, reply: HeadEventSchema },
} as const satisfies Readonly<Record<string, RouteSchemas>>;

/** What the parts of a route hold: what the SDK's types are made of. */
export type RouteTypes = {
  readonly [Id in keyof typeof ROUTE_SCHEMAS]: {
    readonly [Part in keyof (typeof ROUTE_SCHEMAS)[Id]]: (typeof ROUTE_SCHEMAS)[Id][Part] extends z.ZodType
      ? z.output<(typeof ROUTE_SCHEMAS)[Id][Part]>
      : never;
  };
};
