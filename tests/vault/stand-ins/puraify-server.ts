import { type Answer, run, type Seen } from "./stand-in.ts";

/** The family's Vault engine, as it answers: last write wins, and a project without tokens is none. */
const projects = new Map<string, Map<string, string>>();
let allowed: string | null = null;

run({ answer, entries, clear, control });

function control({ token }: Readonly<Record<string, unknown>>): void {
  allowed = token as string;
}

function clear(): void {
  projects.clear();
  allowed = null;
}

function answer({ method, path, body, headers }: Seen): Answer {
  if (allowed !== null && headers.authorization !== `Bearer ${allowed}`) return { status: 401, body: { error: "Unauthorized" } };
  const [, root, what, ...rest] = path.split("/").map(decodeURIComponent);
  const [project = "", service = ""] = rest;
  if (root !== "vault") return { status: 404, body: undefined };
  if (what === "token" && method === "POST" && rest.length === 0) return store(body as Record<string, unknown>);
  if (what === "tokens" && method === "GET" && rest.length === 1) {
    const tokens = projects.get(project);
    return tokens ? { status: 200, body: { tokens: Object.fromEntries(tokens) } } : { status: 404, body: { error: "Project not found" } };
  }
  if (what !== "token" || rest.length !== 2) return { status: 404, body: undefined };
  const token = projects.get(project)?.get(service);
  if (token === undefined) return { status: 404, body: { error: "Token not found" } };
  if (method === "GET") return { status: 200, body: { token } };
  if (method !== "DELETE") return { status: 404, body: undefined };
  projects.get(project)?.delete(service);
  if (projects.get(project)?.size === 0) projects.delete(project);
  return { status: 200, body: { success: true } };
}

function store({ project, service, token }: Record<string, unknown>): Answer {
  for (const part of [project, service, token]) {
    if (typeof part !== "string" || !part.trim()) return { status: 400, body: { error: "project, service and token are required" } };
  }
  const tokens = projects.get(project as string) ?? new Map<string, string>();
  projects.set(project as string, tokens.set(service as string, token as string));
  return { status: 200, body: { success: true } };
}

function entries(): string[] {
  return [...projects].flatMap(([project, tokens]) => [...tokens.keys()].map((service) => `${project}/${service}`));
}
