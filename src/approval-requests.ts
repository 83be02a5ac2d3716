import type { PendingPromotion } from "./approvals.ts";
import { documentsOf } from "./heads.ts";
import { keys } from "./keys.ts";
import type { AuditRecord } from "./model.ts";
import type { FeedbackLoop, Sent, Sink, Store } from "./ports.ts";

/** Tells the Feedback Loop of each promotion that waits for approval: it follows the audit log like any sink. */
export class ApprovalRequests implements Sink {
  readonly name = "feedback";
  readonly #store: Store;
  readonly #feedback: FeedbackLoop;

  constructor(store: Store, feedback: FeedbackLoop) {
    this.#store = store;
    this.#feedback = feedback;
  }

  async send({ action, project, seq, details }: AuditRecord, signal: AbortSignal): Promise<Sent> {
    if (action !== "request_promotion" || typeof details.promotion !== "string") return "taken";
    const [promotion] = await documentsOf(this.#store, project).getAll<PendingPromotion>([keys.promotion(details.promotion)]);
    // Whom nobody waits for any more need not be told.
    if (promotion?.status !== "pending") return "taken";
    const { id, order, version, requested_by, needed } = promotion;
    const request = {
      id: `${project}:${seq}`,
      project,
      promotion: id,
      source: order.source,
      target: order.target,
      version,
      requestedBy: requested_by,
      needed,
    };
    return this.#feedback.ask(request, signal);
  }
}
