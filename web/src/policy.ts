import { useQueries } from "@tanstack/react-query";
import type { Environment } from "./api.ts";
import { environmentQuery, environmentsQuery, policyQuery } from "./queries.ts";
import { PENDING, useRead } from "./useRead.ts";

type Rules = Readonly<Record<string, unknown>>;

/** What the policy says of one environment: its type's rules, and its own over them. */
export function rulesOf(policy: Readonly<Record<string, unknown>> | undefined, { env, type }: Pick<Environment, "env" | "type">): Rules {
  const environments = (policy?.environments ?? {}) as Readonly<Record<string, Rules>>;
  return { ...environments[`type:${type}`], ...environments[env] };
}

/**
 * Whether a reason and the typed name are asked for: always for production, and wherever the policy wants them, which the engine then
 * enforces for everybody. Who may not read the policy is asked for both.
 */
export function useAsked(environment: Environment): { readonly reason: boolean; readonly name: boolean } {
  const policy = useRead(policyQuery(environment.project_id));
  const isProduction = environment.type === "production" || !policy.isSuccess;
  const rules = rulesOf(policy.data?.policy, environment);
  return { reason: isProduction || rules.require_message === true, name: isProduction || rules.require_confirmation === true };
}

/** The checks of a promotion into an environment that its policy lets an administrator skip. */
export function useForceable(environment: Environment): readonly string[] {
  const policy = useRead(policyQuery(environment.project_id));
  const { forceable } = rulesOf(policy.data?.policy, environment);
  return Array.isArray(forceable) ? forceable : [];
}

const TYPES = ["development", "custom", "staging", "production", "preview"];

/** The environments that a policy's pipeline names in its order; then the others, by how near they are to production. */
export function inOrder(
  environments: readonly Environment[],
  policy: Readonly<Record<string, unknown>> | undefined,
): readonly Environment[] {
  const pipeline = pipelineOf(policy);
  const rank = ({ env, type }: Environment) => (pipeline.includes(env) ? pipeline.indexOf(env) : pipeline.length + TYPES.indexOf(type));
  return [...environments].sort((left, right) => rank(left) - rank(right));
}

export function pipelineOf(policy: Readonly<Record<string, unknown>> | undefined): readonly string[] {
  const pipeline = policy?.pipeline;
  return Array.isArray(pipeline) ? (pipeline as readonly string[]) : [];
}

/** The active environments of a project, in order. Its previews are many: those alone are among them that an address names. */
export function useEnvironments(project: string, named: readonly string[] = []) {
  const environments = useRead(environmentsQuery(project));
  const policy = useRead(policyQuery(project));
  const known = environments.data?.items ?? [];
  const others = environments.isSuccess ? named.filter((name) => name !== "" && known.every(({ env }) => env !== name)) : [];
  const previews = useQueries({ queries: [...new Set(others)].map((env) => environmentQuery(project, env)) });
  const all = [...known, ...previews.flatMap(({ data }) => data ?? [])];
  const active = inOrder(all, policy.data?.policy).filter(({ status }) => status === "active");
  const isAsking = previews.some(({ isPending }) => isPending);
  return { environments: isAsking ? { ...PENDING, refetch: environments.refetch } : environments, active };
}
