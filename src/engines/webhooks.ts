import { LIMITS } from "../limits.ts";
import type { WebhookConnection, WebhookDeliverer } from "../ports.ts";
import { AllowList, isPublicAddress, notAllowed } from "./address.ts";
import { type Lookup, lookupBySystem } from "./lookup.ts";
import { PublicTarget } from "./request.ts";

interface HttpWebhooksOptions {
  /** What the operator allows besides public addresses; plain http is allowed there, and nowhere else. */
  readonly allow?: AllowList;
  /** Tests replace it. */
  readonly lookup?: Lookup;
  readonly timeoutMs?: number;
}

/**
 * Delivers events as CloudEvents 1.0 in structured JSON, signed as Standard Webhooks has it: `webhook-id`, `webhook-timestamp`
 * and `webhook-signature`, one signature for each secret. Both formats are their published libraries' own.
 */
export class HttpWebhooks implements WebhookDeliverer {
  readonly #allow: AllowList;
  readonly #lookup: Lookup;
  readonly #timeoutMs: number;

  constructor({ allow = new AllowList(), lookup = lookupBySystem, timeoutMs = LIMITS.webhookTimeoutMs }: HttpWebhooksOptions = {}) {
    this.#allow = allow;
    this.#lookup = lookup;
    this.#timeoutMs = timeoutMs;
  }

  /** Also looks where the name leads now. Each connection is checked again, so that a name without addresses may still get some. */
  async check(url: string): Promise<void> {
    const target = this.#target(url);
    await target.close();
    if (this.#allow.hasName(target.host)) return;
    const addresses = await this.#lookup(target.host).catch(() => []);
    if (addresses.every((address) => isPublicAddress(address) || this.#allow.hasAddress(address))) return;
    throw notAllowed(
      `The host "${target.host}" has a private address, and webhooks go to public ones alone.`,
      "Give a public address, or ask the operator to allow this host.",
    );
  }

  open(url: string): WebhookConnection {
    const target = this.#target(url);
    return {
      close: () => target.close(),
      send: async (event, secrets, at, signal) => {
        // Loaded with the first delivery: a start does not wait for what most engines seldom need.
        const { signed } = await import("./webhook-message.ts");
        const { headers, body } = signed(event, secrets, at);
        const response = await target.request({ method: "POST", headers, body, signal, timeoutMs: this.#timeoutMs });
        return { status: response.status, retryAfterMs: response.retryAfterMs() };
      },
    };
  }

  #target(url: string): PublicTarget {
    const target = new PublicTarget(url, { allow: this.#allow, lookup: this.#lookup });
    const isSafe = new URL(url).protocol === "https:";
    if (isSafe || this.#allow.hasName(target.host) || this.#allow.hasAddress(target.host)) return target;
    throw notAllowed("The URL of a webhook must begin with https.", "Give an https URL, or ask the operator to allow this host.");
  }
}
