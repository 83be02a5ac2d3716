import type { Client } from "../client.ts";
import type { Inputs } from "../inputs.ts";
import { type Narration, names } from "../narration.ts";
import type { JsonValue } from "../platform.ts";
import type { Created, Promoted, RevisionPage, Written } from "../replies.ts";
import { checkLines, PROJECT } from "../telling.ts";
import type { Family } from "./member.ts";
import type { EnvironmentReply, ReadyReply, SinksReply } from "./replies.ts";

type Body = Readonly<Record<string, unknown>>;

/** What the chapters of the family's story have in common: who is there, and what they do over and over. */
export class Scene {
  readonly ada: Client;
  readonly ben: Client;
  readonly family: Family;
  readonly inputs: Inputs;
  readonly #narration: Narration;

  constructor(people: { readonly ada: Client; readonly ben: Client }, narration: Narration, family: Family, inputs: Inputs) {
    this.ada = people.ada;
    this.ben = people.ben;
    this.family = family;
    this.inputs = inputs;
    this.#narration = narration;
  }

  step(title: string): void {
    this.#narration.step(title);
  }

  /** What a look at a sibling shows: asked of it, not of the engine. */
  sees(sibling: string, path: string, lines: readonly string[]): void {
    this.#narration.asked("GET", `${path} of the ${sibling} engine`);
    this.#narration.answered(200, "OK", lines);
  }

  create(body: Body): Promise<Created> {
    return this.ada.ask<Created>({
      method: "POST",
      path: "/env/create",
      body: { project_id: PROJECT, ...body },
      status: 201,
      shows: ({ linked_version, stored }) => [`version: ${linked_version}`, `kept as secrets: ${names(stored.secrets)}`],
    });
  }

  write(method: "PUT" | "PATCH", path: string, body: Body): Promise<Written> {
    return this.ada.ask<Written>({
      method,
      path: `/env/${PROJECT}/${path}`,
      body,
      shows: ({ version, revision }) => [`version: ${version}, revision ${revision}`],
    });
  }

  /** Development's flow of that name uses `action`, and no other. */
  flow(name: string, action: string): Promise<Written> {
    const flow: JsonValue = { title: name, trigger: { type: "flow" }, actions: [{ id: "only", uses: action, with: {} }] };
    return this.write("PATCH", "development/state", { set: { [`flows/${name}`]: flow }, message: `${name} by ${action}` });
  }

  promote(source: string, target: string, more: { readonly status?: number; readonly meanwhile?: number } = {}): Promise<Promoted> {
    return this.ada.ask<Promoted>({
      method: "POST",
      path: "/env/promote",
      body: { project_id: PROJECT, source_env: source, target_env: target },
      ...more,
      shows: ({ version, checks, promotion_id }) => [
        `version: ${version}${promotion_id === undefined ? "" : `, as promotion ${promotion_id}`}`,
        ...checks.filter(({ name }) => name === "validation" || name === "approvals").flatMap(checkLines),
      ],
    });
  }

  /** Waits until the environment's version is as `status` says, then shows it. */
  async shows(env: string, version: string, status: string): Promise<EnvironmentReply> {
    const path = `/env/${PROJECT}/${env}`;
    // What is taken back is in sync at once, with what was deployed before, until it is deployed anew.
    const isThere = ({ deployment }: EnvironmentReply) => status !== "in_sync" || deployment?.version === version;
    await this.ada.awaits<EnvironmentReply>(
      path,
      `${version} as ${status}`,
      (head) => head.version === version && head.sync_status === status && isThere(head),
    );
    return this.environment(env);
  }

  environment(env: string): Promise<EnvironmentReply> {
    return this.ada.ask<EnvironmentReply>({
      method: "GET",
      path: `/env/${PROJECT}/${env}`,
      shows: ({ version, sync_status, deployment, hold }) => [
        `${env}: ${version}, ${sync_status}`,
        ...(deployment === null
          ? []
          : [
              `deployment of ${deployment.version}: ${[deployment.status, deployment.version_id, deployment.url, deployment.reason].filter(Boolean).join(", ")}`,
            ]),
        ...(hold === null ? [] : [`hold: ${hold.reason}`]),
      ],
    });
  }

  versionLog(env: string): Promise<RevisionPage> {
    return this.ada.ask<RevisionPage>({
      method: "GET",
      path: `/env/${PROJECT}/${env}/revisions`,
      shows: ({ items }) =>
        items.map(({ revision, version, action, message }) =>
          `${revision}  ${version.padEnd(8)} ${action.padEnd(9)} ${message ?? ""}`.trimEnd(),
        ),
    });
  }

  sinks(): Promise<SinksReply> {
    return this.ada.ask<SinksReply>({
      method: "GET",
      path: `/env/${PROJECT}/sinks`,
      shows: ({ items }) =>
        items.map(({ name, state, head, backlog, last_error }) => {
          const error = state === "ok" || last_error === null ? "" : `: ${last_error.reason}`;
          return `${name}: ${state}, ${backlog === 0 ? `has all ${head} records` : `${backlog} of ${head} records wait`}${error}`;
        }),
    });
  }

  /** Waits until every sibling that follows the audit log has all of it. */
  allArrived(): Promise<void> {
    const isThere = ({ items }: SinksReply) => items.every(({ backlog }) => backlog === 0);
    return this.ada.awaits<SinksReply>(`/env/${PROJECT}/sinks`, "that everything arrived", isThere);
  }

  ready(): Promise<ReadyReply> {
    return this.ada.ask<ReadyReply>({
      method: "GET",
      path: "/readyz",
      shows: ({ status, checks }) => [
        `${status}: ${Object.entries(checks)
          .map(([name, check]) => `${name} ${check.status}`)
          .join(", ")}`,
      ],
    });
  }
}
