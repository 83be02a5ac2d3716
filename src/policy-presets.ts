import type { Policy } from "./policy.ts";

/**
 * Policies to start from, by environment type, so that they fit any project. `{"preset":"team"}` stands for the whole
 * policy: what is stored, and shown, is the policy itself.
 */
export const POLICY_PRESETS: Readonly<Record<string, Policy>> = {
  /** One person: production changes by promotion alone, and nobody is waited for. */
  solo: { environments: { "type:production": { protected: true } } },
  /** A few people: somebody else looks at what goes live; an admin may skip that with a reason. */
  team: {
    environments: {
      "type:production": { protected: true, approvals: 1, forceable: ["approvals", "soak_time", "freeze_window"] },
      "type:preview": { max_ttl: "14d" },
    },
  },
  /** Where rules are audited: two approvals, a day in the source, no releases from Friday evening to Monday morning (UTC). */
  regulated: {
    environments: {
      "type:staging": { protected: true },
      "type:production": {
        protected: true,
        approvals: { count: 2, expires_in: "7d" },
        soak: "24h",
        validation: "required",
        secrets_isolated: "fail",
        freeze: [{ kind: "deny", cron: "0 16 * * 5", duration: "62h", timezone: "UTC", reason: "No releases over the weekend." }],
        require_message: true,
        require_confirmation: true,
      },
      "type:preview": { max_ttl: "7d" },
    },
  },
};
