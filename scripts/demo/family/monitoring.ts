import { type Contract, type Members, noSuchRoute, type Shape, shaped } from "./contract.ts";

export interface MonitoringMemory {
  /** Records, each id once, in the order in which they came. */
  logs: Members[];
  /** Ids that came again: a sender that did not hear the answer sends once more. */
  repeated: string[];
  alerts: Members[];
}

const LOG: Shape = {
  message: ["string"],
  level: ["string"],
  engine: ["string"],
  project_id: ["string"],
  env: ["string", "null"],
  version: ["string", "null"],
  user: ["string"],
  event_type: ["string"],
  action: ["string"],
  status: ["string"],
  timestamp: ["string"],
  id: ["string"],
};
const ALERT: Shape = { project_id: ["string"], severity: ["string"], message: ["string"], triggered_by: ["string"] };
const TAKEN = { status: 200, body: { success: true } };

/** The Monitoring engine: takes records and alerts, and tells a record that comes again by its id. */
export const monitoring: Contract<MonitoringMemory> = {
  empty: () => ({ logs: [], repeated: [], alerts: [] }),
  answer(asked, memory) {
    switch (`${asked.method} /${asked.path.join("/")}`) {
      case "POST /monitoring/logs":
        return shaped(asked.body, LOG, (log) => {
          if (memory.logs.some(({ id }) => id === log.id)) memory.repeated.push(String(log.id));
          else memory.logs.push(log);
          return TAKEN;
        });
      case "POST /monitoring/alert":
        return shaped(asked.body, ALERT, (alert) => {
          memory.alerts.push(alert);
          return TAKEN;
        });
      default:
        return noSuchRoute(asked);
    }
  },
};
