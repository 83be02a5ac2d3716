import { LIMITS } from "../limits.ts";
import type { PageRequest } from "../model.ts";

/** The page that a query asks for. */
export function pageRequest({ limit, cursor }: { readonly limit?: number | undefined; readonly cursor?: string | undefined }): PageRequest {
  return { limit: limit ?? LIMITS.pageItemsDefault, cursor: cursor ?? null };
}
