/**
 * What replies gave that later requests can name: versions, plans, promotions and so on. Requests are made before they are sent,
 * from a seed; so that they come out the same each time, they say `~version.3~` where the fourth newest version is meant, and that
 * is put in as they go out.
 */
export type Kind = "version" | "plan" | "promotion" | "token" | "secret" | "session" | "cursor" | "etag" | "head" | "webhook";

const KEPT = 12;
const PLACEHOLDER = /~(\w+)\.(\d+)~/g;
/** Stand in until there is a real one: of the right form, but of nothing that exists. */
const STAND_INS: Readonly<Record<Kind, string>> = {
  version: "v0.1.0",
  plan: "3f0a6f2c9d41b7e85a60c2d9f1e4b378",
  promotion: "0mi5k2v1x9f2c1e7ab3",
  token: "9f2c1e7ab3d04f5c",
  secret: `envm_9f2c1e7ab3d04f5c_${"x".repeat(43)}`,
  session: "x".repeat(43),
  cursor: "42",
  etag: '"9f2c1e7ab3d04f5c8e6d7a1b0c9f8e7d"',
  webhook: "wh0f1e2d3c4b5a6978",
  head: `1:${"0".repeat(64)}`,
};

export class Pool {
  readonly #kept = new Map<string, string[]>(Object.entries(STAND_INS).map(([kind, text]) => [kind, [text]]));

  /** Newest first, a bounded number of each. */
  keep(kind: Kind, text: unknown): void {
    if (typeof text !== "string" || text === "") return;
    const kept = (this.#kept.get(kind) ?? []).filter((one) => one !== text);
    this.#kept.set(kind, [text, ...kept].slice(0, KEPT));
  }

  fill(text: string): string {
    return text.replace(PLACEHOLDER, (whole, kind: string, index: string) => {
      if (kind === "soon") return new Date(Date.now() + 200 * Number(index)).toISOString();
      const kept = this.#kept.get(kind);
      return kept === undefined ? whole : (kept[Number(index) % kept.length] ?? whole);
    });
  }

  /** Takes what can be named out of a reply. */
  learn(operationId: string, body: unknown, headers: Readonly<Record<string, unknown>>): void {
    this.keep("etag", headers.etag);
    if (typeof body !== "object" || body === null) return;
    const reply = body as Readonly<Record<string, unknown>>;
    this.keep("version", reply.version ?? reply.linked_version);
    this.keep("plan", reply.plan_id);
    this.keep("promotion", reply.promotion_id);
    this.keep("cursor", reply.next_cursor);
    if (operationId === "listPromotions")
      for (const { id } of reply.items as readonly { readonly id: string }[]) this.keep("promotion", id);
    if (operationId === "verifyAudit" || operationId === "verifyAccessAudit") this.keep("head", reply.head);
    if (operationId === "createWebhook") this.keep("webhook", reply.id);
    // Only tokens that were made here: those that the run itself uses are not to be revoked.
    if (operationId === "createToken") this.keep("token", reply.id);
    if (operationId === "createToken" || operationId === "rotateToken") this.keep("secret", reply.token);
    const cookie = [headers["set-cookie"]].flat().join();
    this.keep("session", /envm_session=([\w-]{43})/.exec(cookie)?.[1]);
  }
}

/** Any of those of a kind that there are by then. */
export function placeholder(kind: Kind | "soon", index: number): string {
  return `~${kind}.${index}~`;
}
