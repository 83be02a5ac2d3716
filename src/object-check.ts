import { DamagedObject } from "./errors.ts";
import { EMPTY_ROOT, objectHash } from "./merkle/index.ts";
import { auditNode, type MapNode } from "./merkle/node.ts";
import { decodeNode } from "./merkle/node-codec.ts";
import type { Hash, Store } from "./ports.ts";
import { turn } from "./scan.ts";

/** Nodes and values loaded at a time: a value may have megabytes. */
const NODES = 256;
const VALUES = 16;

interface NodeStep {
  readonly hash: Hash;
  readonly parent?: { readonly layer: number; readonly count: number };
}

interface ValueStep {
  readonly hash: Hash;
  readonly key: string;
}

/**
 * Looks at every object that a project's roots need: that it is there, that its bytes have its hash, and that a node is what
 * the engine writes. Each object is looked at once, and told of once, with the first place that needs it. What is below a
 * node that cannot be read stays unknown; everything else is looked at all the same.
 */
export class ObjectCheck {
  readonly #store: Store;
  readonly #project: string;
  readonly #fault: (what: string) => void;
  readonly #seen = new Set<Hash>([EMPTY_ROOT]);
  readonly #bad = new Set<Hash>();

  constructor(store: Store, project: string, fault: (what: string) => void) {
    this.#store = store;
    this.#project = project;
    this.#fault = fault;
  }

  /** Objects looked at so far. */
  get count(): number {
    return this.#seen.size - 1;
  }

  /** Objects that are missing or damaged. */
  get faults(): number {
    return this.#bad.size;
  }

  /** `where`: what needs this root, in words. */
  async tree(root: Hash, where: string): Promise<void> {
    const nodes: NodeStep[] = this.#isNew(root) ? [{ hash: root }] : [];
    while (nodes.length > 0) {
      const steps = nodes.splice(-NODES);
      const values: ValueStep[] = [];
      await this.#load(steps, where, (step, data) => {
        const node = this.#node(step, data, where);
        if (node === null) return;
        for (const child of node.children) {
          if (child !== null && this.#isNew(child.hash))
            nodes.push({ hash: child.hash, parent: { layer: node.layer, count: child.count } });
        }
        node.keys.forEach((key, index) => {
          const value = node.values[index];
          if (value !== undefined && "hash" in value && this.#isNew(value.hash)) values.push({ hash: value.hash, key });
        });
      });
      for (let from = 0; from < values.length; from += VALUES) await this.#load(values.slice(from, from + VALUES), where, () => {});
      await turn();
    }
  }

  #isNew(hash: Hash): boolean {
    return this.#seen.size !== this.#seen.add(hash).size;
  }

  async #load<Step extends NodeStep | ValueStep>(
    steps: readonly Step[],
    where: string,
    use: (step: Step, data: Uint8Array) => void,
  ): Promise<void> {
    const found = await this.#read(steps.map(({ hash }) => hash));
    steps.forEach((step, index) => {
      const data = found[index] ?? null;
      const place = "key" in step ? `${step.key} in ${where}` : where;
      if (data instanceof DamagedObject) this.#tell(step.hash, `is damaged (${data.why}), which ${place} needs`);
      else if (data === null) this.#tell(step.hash, `is missing, which ${place} needs`);
      else if (objectHash(data) !== step.hash) this.#tell(step.hash, `is damaged (its bytes have another hash), which ${place} needs`);
      else use(step, data);
    });
  }

  /** What the store cannot put together, it refuses: then each is asked for by itself. */
  async #read(hashes: readonly Hash[]): Promise<readonly (Uint8Array | DamagedObject | null)[]> {
    try {
      return await this.#store.objects.get(this.#project, hashes);
    } catch (error) {
      if (!(error instanceof DamagedObject)) throw error;
      const [only, ...others] = hashes;
      if (only === undefined || others.length === 0) return [error];
      const found: (Uint8Array | DamagedObject | null)[] = [];
      for (const hash of hashes) found.push(...(await this.#read([hash])));
      return found;
    }
  }

  #node({ hash, parent }: NodeStep, data: Uint8Array, where: string): MapNode | null {
    try {
      const node = decodeNode(hash, data);
      auditNode(hash, node, parent);
      return node;
    } catch (error) {
      this.#tell(hash, `is not what it should be in ${where}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  #tell(hash: Hash, what: string): void {
    this.#bad.add(hash);
    this.#fault(`object ${hash} ${what}`);
  }
}
