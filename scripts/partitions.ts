import { SYSTEM_PARTITION, sinkPartition, systemKeys } from "../src/keys.ts";
import type { Store } from "../src/ports.ts";
import { documentPages } from "../src/scan.ts";
import { PROJECT_PREFIX, projectPartition, VAULT_PARTITION } from "../src/vault/documents.ts";

/** Every partition that anything of the engine writes to: those of the whole store, and each project's own, its vault's and its sinks'. */
export async function partitionsOf(store: Store): Promise<readonly string[]> {
  const projects = new Set<string>();
  for (const [partition, prefix] of [
    [SYSTEM_PARTITION, systemKeys.projectPrefix],
    [VAULT_PARTITION, PROJECT_PREFIX],
  ] as const) {
    for await (const page of documentPages(store, partition, prefix)) {
      for (const { key } of page) projects.add(key.slice(prefix.length));
    }
  }
  const own = [...projects].sort().flatMap((project) => [project, projectPartition(project), sinkPartition(project)]);
  return [SYSTEM_PARTITION, VAULT_PARTITION, ...own];
}
