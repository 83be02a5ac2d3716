import { LIMITS } from "../limits.ts";
import type { PreviewBuilder, PreviewOrder } from "../ports.ts";
import { unavailable } from "./failures.ts";
import type { Sibling } from "./sibling.ts";

/** The Platform Builder: `POST /builder/preview {project_id, env, version, snapshot}` → `{url}`; 404 where it builds no previews. */
export class PlatformBuilder implements PreviewBuilder {
  readonly #sibling: Sibling;

  constructor(sibling: Sibling) {
    this.#sibling = sibling;
  }

  async build({ project, env, version, snapshot }: PreviewOrder, requestId: string): Promise<string | null> {
    const json = { project_id: project, env, version, snapshot };
    const response = await this.#sibling.call(["builder", "preview"], { method: "POST", json, requestId, idempotent: true });
    if (response.status === 404) return null;
    const url = response.status === 200 || response.status === 201 ? urlIn(response.json()) : null;
    if (url !== null) return url;
    throw unavailable(
      "malformed",
      "The Platform Builder engine",
      `answers with status ${response.status} and no URL that a browser could open`,
    );
  }
}

function urlIn(body: unknown): string | null {
  const url: unknown = typeof body === "object" && body !== null ? (body as { readonly url?: unknown }).url : undefined;
  if (typeof url !== "string" || url.length > LIMITS.urlLength || !URL.canParse(url)) return null;
  return /^https?:$/.test(new URL(url).protocol) ? url : null;
}
