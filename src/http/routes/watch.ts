import { may } from "../../callers.ts";
import { AppError } from "../../errors.ts";
import { EnvironmentParams, ProjectParams } from "../../schemas/common.ts";
import { HeadEventSchema, ProjectEventSchema, ProjectWatchQuery, WatchQuery } from "../../schemas/watch.ts";
import { type Route, route } from "../route.ts";

const watchEnvironment = route({
  method: "get",
  path: "/env/:project/:env/watch",
  operationId: "watchEnvironment",
  tag: "Live updates",
  summary: "Be told of every new head",
  description:
    "Server-sent events, one for each revision: first the newest, unless `Last-Event-ID` names it; after a pause, every revision since the " +
    "one that it names. Whoever is more than 500 behind is told of the newest alone, with `skipped`. A comment comes every 15 seconds. The reply " +
    "ends when the token does, when the environment is archived or expires (the last event says so in `final`), and when the engine stops: then " +
    "connect again. An archived environment answers 204 to whoever knows it already, after which browsers stay away.",
  params: EnvironmentParams,
  query: WatchQuery,
  events: true,
  responses: {
    200: { description: "Events, for as long as somebody reads them.", schema: HeadEventSchema, contentType: "text/event-stream" },
    204: { description: "The environment is archived, and the reader was told: nothing comes any more." },
  },
  errors: ["invalid_name", "project_not_found", "environment_not_found", "environment_expired"],
  async handler({ params: { project, env }, query, caller, connection, domain }) {
    const after = connection.lastEventId === null ? (query.last_event_id ?? null) : revisionOf(connection.lastEventId);
    const head = await domain.watches.head(project, env);
    if (head.status === "archived" && after === head.revision) return { status: 204 };
    const view = may(caller, "read", project, env) ? "whole" : "bare";
    return { events: { view, watch: (watcher) => domain.watches.watch(project, env, after, watcher) } };
  },
});

const watchProject = route({
  method: "get",
  path: "/env/:project/watch",
  operationId: "watchProject",
  tag: "Live updates",
  summary: "Be told of everything that happens in a project",
  description:
    "Server-sent events, one for each record of the audit log that the token may see, from now on; after a pause, since the one that `Last-Event-ID` " +
    "names. The first event of a reader that names none is `projectWatched`: from where on it is told. Whoever is more than 500 behind is told of the newest, with `skipped`. One stream serves a page that shows many environments.",
  params: ProjectParams,
  query: ProjectWatchQuery,
  events: true,
  responses: {
    200: { description: "Events, for as long as somebody reads them.", schema: ProjectEventSchema, contentType: "text/event-stream" },
  },
  errors: ["invalid_name", "project_not_found"],
  async handler({ params: { project }, query, caller, connection, domain }) {
    const known = connection.lastEventId === null ? query.last_event_id : revisionOf(connection.lastEventId);
    const newest = await domain.projectWatches.newest(project);
    return { events: { view: "whole", watch: (watcher) => domain.projectWatches.watch(caller, project, known ?? null, newest, watcher) } };
  },
});

/** @throws invalid_request */
function revisionOf(id: string): number {
  if (/^\d{1,15}$/.test(id)) return Number(id);
  throw new AppError("invalid_request", {
    reason: "The Last-Event-ID header names no event.",
    fix: "Send the `id` of the last event as it came, or leave the header out.",
  });
}

export const watchRoutes: readonly Route[] = [watchEnvironment, watchProject];
