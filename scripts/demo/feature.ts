import { isObject } from "../../src/json.ts";
import type { JsonValue, PlatformState } from "./platform.ts";

/** The key that the feature needs: every environment that is to run it must bind one of its own. */
const REQUIRED_KEY = "NOTIFICATION_API_KEY";
const FLOWS_CHANGED = 2;

interface Feature {
  /** As `PATCH …/state` takes it. */
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly variables: Readonly<Record<string, string>>;
}

/** Notifications: a new entity, the platform's first two flows use it, and a key is required. */
export function notificationFeature(state: PlatformState): Feature {
  const flows = Object.entries(state.flows ?? {}).slice(0, FLOWS_CHANGED);
  return {
    set: {
      "entities/Notification": {
        label: "Notification",
        fields: {
          recipient: { type: "reference", entity: "User", required: true },
          channel: { type: "choice", options: ["mail", "push"], default: "mail" },
          text: { type: "text", required: true, max_length: 500 },
          read_at: { type: "datetime" },
        },
      },
      ...Object.fromEntries(flows.map(([name, flow]) => [`flows/${name}`, withNotification(flow)])),
      [`requires/${REQUIRED_KEY}`]: { kind: "secret", description: "Sends push notifications." },
    },
    variables: { [REQUIRED_KEY]: "dummy-staging-notification-key" },
  };
}

/** The flow with one action more, in the form in which it lists its actions; beside its definition where it lists none. */
function withNotification(flow: JsonValue): JsonValue {
  const notify = { id: "notify", uses: "record.create", with: { entity: "Notification", values: { text: "Something happened" } } };
  if (!isObject(flow)) return { definition: flow, notify };
  const { actions } = flow;
  if (isList(actions)) return { ...flow, actions: [...actions, notify] };
  if (isObject(actions)) return { ...flow, actions: { ...actions, notify } };
  return { ...flow, notify };
}

/** A component with one more entry, or another one, in one of its members. */
export function withMember(component: JsonValue, member: string, name: string, value: JsonValue): JsonValue {
  const members = isObject(component) ? component : {};
  const entries = members[member];
  return { ...members, [member]: { ...(isObject(entries) ? entries : {}), [name]: value } };
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
