import { type Contract, type Members, noSuchRoute, shaped } from "./contract.ts";

/** How many flows it was asked about. */
export interface ValidationMemory {
  checked: number;
}

/** What an action may belong to: `record.create`, `integrations/erp.post`. */
const KNOWN_AREAS = /^(record|logic|portal|crypto|integrations\/[\w-]+)\./;

/** The Validation engine: a flow is wrong where it uses an action that there is not. */
export const validation: Contract<ValidationMemory> = {
  empty: () => ({ checked: 0 }),
  answer(asked, memory) {
    if (asked.method !== "POST" || asked.path.join("/") !== "validation/check") return noSuchRoute(asked);
    return shaped(asked.body, { blueprint: ["object"] }, ({ blueprint }) => {
      memory.checked++;
      const errors = faultsOf(blueprint as Members);
      return { status: errors.length === 0 ? 200 : 400, body: { valid: errors.length === 0, errors, warnings: [] } };
    });
  },
};

function faultsOf({ actions }: Members): readonly { readonly field: string; readonly reason: string }[] {
  if (!Array.isArray(actions)) return [];
  return actions.flatMap((action: Members, index) =>
    typeof action.uses === "string" && KNOWN_AREAS.test(action.uses)
      ? []
      : [{ field: `actions[${index}].uses`, reason: `there is no action ${JSON.stringify(action.uses ?? null)}` }],
  );
}
