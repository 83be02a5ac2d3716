import { type Contract, noSuchRoute, shaped } from "./contract.ts";

export interface BuilderMemory {
  /** URLs of what was built. */
  previews: string[];
}

const PREVIEW = { project_id: ["string"], env: ["string"], version: ["string"], snapshot: ["string"] };

/** The Platform Builder: the same snapshot is built once, and looked at in the same place. */
export const builder: Contract<BuilderMemory> = {
  empty: () => ({ previews: [] }),
  answer(asked, memory) {
    if (asked.method !== "POST" || asked.path.join("/") !== "builder/preview") return noSuchRoute(asked);
    return shaped(asked.body, PREVIEW, ({ project_id, env, snapshot }) => {
      const url = `https://${String(snapshot).slice(0, 8)}.builder.example/${project_id}/${env}`;
      if (!memory.previews.includes(url)) memory.previews.push(url);
      return { status: 200, body: { url } };
    });
  },
};
