import type { ApprovalRequest, FeedbackLoop, Sent } from "../ports.ts";
import { unavailable } from "./failures.ts";
import type { Sibling } from "./sibling.ts";

/** The Feedback Loop: `POST /feedback/requests {project_id, kind:"promotion_approval", …}`; 404 where approvals live in this engine alone. */
export class FeedbackEngine implements FeedbackLoop {
  readonly #sibling: Sibling;

  constructor(sibling: Sibling) {
    this.#sibling = sibling;
  }

  async ask({ id, project, promotion, source, target, version, requestedBy, needed }: ApprovalRequest, signal: AbortSignal): Promise<Sent> {
    const json = {
      id,
      project_id: project,
      kind: "promotion_approval",
      promotion_id: promotion,
      source_env: source,
      target_env: target,
      version,
      requested_by: requestedBy,
      approvals_needed: needed,
    };
    const response = await this.#sibling.call(["feedback", "requests"], {
      method: "POST",
      json,
      requestId: id,
      signal,
      idempotent: true,
    });
    const { status } = response;
    if (status < 300 || status === 404) return "taken";
    if ([401, 403, 408, 425, 429].includes(status) || status < 400)
      throw unavailable("broken", "The Feedback Loop engine", `answers with status ${status}`, response.retryAfterMs());
    return { refused: `status ${status}` };
  }
}
