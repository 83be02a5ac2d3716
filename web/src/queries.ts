import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { EnvmError } from "../../src/sdk/errors.ts";
import { each } from "../../src/sdk/pages.ts";
import { api, type Config, type Environment, type Policy, type Promotion, type State } from "./api.ts";

/** What pages read, by name. All that belongs to a project is kept under `["project", id]`, so that a change makes all of it old. */

const of = (project: string, ...rest: readonly unknown[]) => ["project", project, ...rest] as const;

const PAGE: { readonly limit: number; readonly cursor?: string | undefined } = { limit: 1_000 };

/** All of a list, where it stands in no order in which its beginning would do. */
async function whole<Item>(each: AsyncIterable<Item>): Promise<{ readonly items: readonly Item[] }> {
  const items: Item[] = [];
  for await (const item of each) items.push(item);
  return { items };
}

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => api.getSession({}, { signal }),
  staleTime: 60_000,
});

export const projectsQuery = queryOptions({
  queryKey: ["projects"],
  queryFn: ({ signal }) => whole(each(api.listProjects, PAGE, { signal })),
});

export const environmentsQuery = (project: string) =>
  queryOptions({
    queryKey: of(project, "environments"),
    // Previews are many, and have a page of their own.
    queryFn: ({ signal }) => api.listEnvironments({ project, limit: 1_000, previews: "none" }, { signal }),
  });

/** How many previews there are, and the first of them. */
export const previewCountQuery = (project: string) =>
  queryOptions({
    queryKey: of(project, "preview-count"),
    queryFn: ({ signal }) => api.listEnvironments({ project, limit: 5, previews: "only", status: "active", count: true }, { signal }),
  });

/** Previews of one status, a page after another. */
export const previewsQuery = (project: string, status: Environment["status"] | undefined, search: string) =>
  infiniteQueryOptions({
    queryKey: of(project, "previews", status, search),
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      api.listEnvironments(
        {
          project,
          limit: 200,
          previews: "only",
          count: true,
          ...(status !== undefined && { status }),
          ...(search !== "" && { search }),
          ...(pageParam !== null && { cursor: pageParam }),
        },
        { signal },
      ),
    getNextPageParam: ({ next_cursor }) => next_cursor,
  });

export const environmentQuery = (project: string, env: string) =>
  queryOptions({ queryKey: of(project, "environment", env), queryFn: ({ signal }) => api.getEnvironment({ project, env }, { signal }) });

/** With its tag, by which whoever saves another finds out that somebody else was quicker. */
export const policyQuery = (project: string) =>
  queryOptions({
    queryKey: of(project, "policy"),
    queryFn: async ({ signal }) => {
      const { body, etag } = await api.answer("getPolicy", { project }, { signal });
      return { ...(body as Policy), etag };
    },
  });

export const revisionsQuery = (project: string, env: string, limit: number) =>
  queryOptions({
    queryKey: of(project, "revisions", env, limit),
    queryFn: ({ signal }) => api.listRevisions({ project, env, limit }, { signal }),
  });

export const waitingQuery = (project: string) =>
  queryOptions({
    queryKey: of(project, "promotions", "pending"),
    // For their number, of which one page would tell a part.
    queryFn: ({ signal }) => whole(each((page) => api.listPromotions({ ...page, project, status: "pending" }, { signal }), PAGE)),
  });

export const promotionsQuery = (project: string, status: Promotion["status"] | undefined, cursor: string | null) =>
  queryOptions({
    queryKey: of(project, "promotions", status, cursor),
    queryFn: ({ signal }) => api.listPromotions({ project, limit: 50, status, ...(cursor !== null && { cursor }) }, { signal }),
  });

/** One promotion, however old; `null` where there is none of that id. */
export const promotionQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: of(project, "promotion", id),
    queryFn: async ({ signal }) => {
      try {
        return await api.getPromotion({ project, id }, { signal });
      } catch (error) {
        if (error instanceof EnvmError && error.code === "promotion_not_found") return null;
        throw error;
      }
    },
  });

export const readinessQuery = (project: string, source: string, env: string, version?: string) =>
  queryOptions({
    queryKey: of(project, "readiness", source, env, version),
    queryFn: ({ signal }) => api.getPromotionReadiness({ project, env, source, version }, { signal }),
  });

/** What merging one environment into another would meet. */
export const mergeQuery = (project: string, source: string, env: string) =>
  queryOptions({
    queryKey: of(project, "merge", source, env),
    queryFn: ({ signal }) => api.getPromotionReadiness({ project, env, source, strategy: "merge" }, { signal }),
  });

export const compareQuery = (project: string, left: string, right: string) =>
  queryOptions({
    queryKey: of(project, "compare", left, right),
    queryFn: ({ signal }) => api.compare({ project_id: project, left, right }, { signal }),
  });

/** A component as it was in a revision; `undefined` where there was none. */
export const componentQuery = (project: string, env: string, name: string, at: number) =>
  queryOptions({
    queryKey: of(project, "component", env, name, at),
    // A revision never changes.
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const slash = name.indexOf("/");
      try {
        const request = { project, env, collection: name.slice(0, slash), name: name.slice(slash + 1), at };
        return { value: (await api.getComponent(request, { signal })).component };
      } catch (error) {
        if (error instanceof EnvmError && (error.code === "component_not_found" || error.code === "collection_not_found"))
          return { value: undefined };
        throw error;
      }
    },
    select: ({ value }) => value,
  });

type RollbackRequest = Parameters<typeof api.rollback>[0];

/** What going back would change, as whoever does it asks for it. */
export const rollbackQuery = (request: RollbackRequest) =>
  queryOptions({
    queryKey: of(request.project_id, "rollback", request.env, request.to, request.secrets),
    queryFn: ({ signal }) => api.rollback({ ...request, dry_run: true }, { signal }),
  });

/** With its tag, by which whoever saves another value finds out that somebody else was quicker. */
export const configQuery = (project: string, env: string) =>
  queryOptions({
    queryKey: of(project, "config", env),
    queryFn: async ({ signal }) => {
      const { body, etag } = await api.answer("getConfig", { project, env }, { signal });
      return { ...(body as Config), etag };
    },
  });

/** With its tag, as the configuration. */
export const stateQuery = (project: string, env: string) =>
  queryOptions({
    queryKey: of(project, "state", env),
    queryFn: async ({ signal }) => {
      const { body, etag } = await api.answer("getState", { project, env }, { signal });
      return { ...(body as State), etag };
    },
  });

export const auditQuery = (
  project: string,
  filter: { readonly env?: string; readonly action?: string; readonly actor?: string; readonly cursor?: string },
) =>
  queryOptions({
    queryKey: of(project, "audit", filter),
    queryFn: ({ signal }) => api.listAudit({ project, limit: 50, ...filter }, { signal }),
  });

export const historyQuery = (project: string, env: string, cursor: string | null) =>
  queryOptions({
    queryKey: of(project, "history", env, cursor),
    queryFn: ({ signal }) => api.listRevisions({ project, env, limit: 50, ...(cursor !== null && { cursor }) }, { signal }),
  });

export const webhooksQuery = (project: string) =>
  queryOptions({ queryKey: of(project, "webhooks"), queryFn: ({ signal }) => api.listWebhooks({ project }, { signal }) });

export const deliveriesQuery = (project: string, id: string) =>
  queryOptions({ queryKey: of(project, "deliveries", id), queryFn: ({ signal }) => api.listDeliveries({ project, id }, { signal }) });

/** No revision tells of what a sink met with. */
export const sinksQuery = (project: string) =>
  queryOptions({
    queryKey: of(project, "sinks"),
    queryFn: ({ signal }) => api.listSinks({ project }, { signal }),
    refetchInterval: 10_000,
  });

export const tokensQuery = queryOptions({
  queryKey: ["tokens"],
  queryFn: ({ signal }) => whole(each(api.listTokens, PAGE, { signal })),
});

export const healthQuery = queryOptions({
  queryKey: ["health"],
  queryFn: ({ signal }) => api.getReadiness({}, { signal }),
  refetchInterval: 10_000,
});
