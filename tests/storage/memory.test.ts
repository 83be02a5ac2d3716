import { checked } from "../../src/storage/checked.ts";
import { MemoryBackend } from "../../src/storage/memory.ts";
import { type Opened, storeConformance } from "../conformance/store.ts";

storeConformance("memory", openMemory, {
  noFailures: "memory has no write that can fail half-way",
  notShared: "it ends with its process",
});

/** Its data lives as long as the backend, so that opening again is a new front before the same backend. */
async function openMemory(): Promise<Opened> {
  let ahead = 0;
  const backend = new MemoryBackend(() => Date.now() + ahead);
  const store = checked(backend);
  return {
    store,
    async reopen() {
      await store.close();
      return checked(backend);
    },
    async age(ms) {
      ahead += ms;
    },
    async dispose() {},
  };
}
