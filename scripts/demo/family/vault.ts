import { type Answer, type Contract, noSuchRoute, shaped } from "./contract.ts";

/** By project, then by service: the token. */
export type VaultMemory = Record<string, Record<string, string>>;

const TOKEN = { project: ["string"], service: ["string"], token: ["string"] };

/** The Vault engine: the last write wins, and a project without tokens is none. */
export const vault: Contract<VaultMemory> = {
  empty: () => ({}),
  answer(asked, memory) {
    const [root, what, project = "", service = ""] = asked.path;
    switch (`${asked.method} /${root}/${what} ${asked.path.length}`) {
      case "POST /vault/token 2":
        return shaped(asked.body, TOKEN, ({ project, service, token }) => put(memory, String(project), String(service), String(token)));
      case "GET /vault/token 4":
        return get(memory, project, service);
      case "DELETE /vault/token 4":
        return remove(memory, project, service);
      case "GET /vault/tokens 3":
        return list(memory, project);
      default:
        return noSuchRoute(asked);
    }
  },
};

function put(memory: VaultMemory, project: string, service: string, token: string): Answer {
  if ([project, service, token].some((part) => part.trim() === ""))
    return { status: 400, body: { error: "project, service and token are required" } };
  memory[project] = { ...memory[project], [service]: token };
  return { status: 200, body: { success: true } };
}

function get(memory: VaultMemory, project: string, service: string): Answer {
  const token = memory[project]?.[service];
  return token === undefined ? missing("Token not found") : { status: 200, body: { token } };
}

function remove(memory: VaultMemory, project: string, service: string): Answer {
  const { [service]: token, ...rest } = memory[project] ?? {};
  if (token === undefined) return missing("Token not found");
  if (Object.keys(rest).length > 0) memory[project] = rest;
  else delete memory[project];
  return { status: 200, body: { success: true } };
}

function list(memory: VaultMemory, project: string): Answer {
  const tokens = memory[project];
  return tokens === undefined ? missing("Project not found") : { status: 200, body: { tokens } };
}

function missing(error: string): Answer {
  return { status: 404, body: { error } };
}
