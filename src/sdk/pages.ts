import type { CallOptions } from "./calls.ts";
import { EnvmError } from "./errors.ts";

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

/**
 * Every item of a list, a page at a time, asked for as they are read: `for await (const { version } of each(client.listRevisions, { project, env }))`.
 * `limit` in the request is a page's.
 */
export async function* each<Request extends { readonly cursor?: string | undefined }, Item>(
  list: (request: Request, options?: CallOptions) => Promise<Page<Item>>,
  request: Request,
  options?: CallOptions,
): AsyncGenerator<Item, void, undefined> {
  for (let cursor = request.cursor; ; ) {
    const { items, next_cursor: next } = await list(cursor === undefined ? request : { ...request, cursor }, options);
    yield* items;
    if (next === null) return;
    if (next === cursor) throw new EnvmError("invalid_answer", { reason: "The list leads back to the page that it came from." });
    cursor = next;
  }
}
