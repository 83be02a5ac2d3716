import { type Contract, type Members, noSuchRoute, type Shape, shaped } from "./contract.ts";

export interface FeedbackMemory {
  /** Requests for somebody's word, each id once. */
  requests: Members[];
  /** Ids that came again. */
  repeated: string[];
}

const REQUEST: Shape = {
  id: ["string"],
  project_id: ["string"],
  kind: ["string"],
  promotion_id: ["string"],
  source_env: ["string"],
  target_env: ["string"],
  version: ["string"],
  requested_by: ["string"],
  approvals_needed: ["number"],
};

/** The Feedback Loop: keeps what people are asked. */
export const feedback: Contract<FeedbackMemory> = {
  empty: () => ({ requests: [], repeated: [] }),
  answer(asked, memory) {
    if (asked.method !== "POST" || asked.path.join("/") !== "feedback/requests") return noSuchRoute(asked);
    return shaped(asked.body, REQUEST, (request) => {
      if (memory.requests.some(({ id }) => id === request.id)) memory.repeated.push(String(request.id));
      else memory.requests.push(request);
      return { status: 201, body: { id: request.id, status: "open" } };
    });
  },
};
