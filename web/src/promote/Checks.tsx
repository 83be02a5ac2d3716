import type { Check } from "../api.ts";
import { Badge, type Tone } from "../components/Badge.tsx";
import { Moment } from "../components/Time.tsx";
import { reasonOf, whoClears } from "../plan.ts";
import { checkInWords } from "../words.ts";
import styles from "./Checks.module.css";

const STATUS: Readonly<Record<Check["status"], { readonly tone: Tone; readonly text: string }>> = {
  failed: { tone: "bad", text: "In the way" },
  warning: { tone: "warn", text: "Worth a look" },
  passed: { tone: "good", text: "Fine" },
  skipped: { tone: "plain", text: "Not asked" },
};

const ORDER: readonly Check["status"][] = ["failed", "warning", "passed", "skipped"];

interface ChecksProps {
  readonly checks: readonly Check[];
  /** Those that may be skipped, by name. */
  readonly forceable?: readonly string[];
}

/** Every check with its answer: what is in the way first, with who can clear it. */
export function Checks({ checks, forceable = [] }: ChecksProps) {
  const inOrder = [...checks].sort((left, right) => ORDER.indexOf(left.status) - ORDER.indexOf(right.status));
  const urgent = inOrder.filter(({ status }) => status === "failed" || status === "warning");
  const quiet = inOrder.filter(({ status }) => status === "passed" || status === "skipped");
  return (
    <div className={styles.checks}>
      {urgent.length === 0 && <p>Nothing is in the way.</p>}
      <ul className={styles.list}>
        {urgent.map((check) => (
          <CheckRow key={check.name} check={check} forceable={forceable} />
        ))}
      </ul>
      {quiet.length > 0 && (
        <details open={urgent.length === 0}>
          <summary>
            {quiet.filter(({ status }) => status === "passed").length} of {checks.length} checks are fine
          </summary>
          <ul className={styles.list}>
            {quiet.map((check) => (
              <CheckRow key={check.name} check={check} forceable={forceable} />
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function CheckRow({ check, forceable }: { readonly check: Check; readonly forceable: readonly string[] }) {
  const { tone, text } = STATUS[check.status];
  const opening = check.details?.next_open;
  return (
    <li className={styles.row} data-check={check.name}>
      <Badge tone={tone}>{text}</Badge>
      <div>
        <p className={styles.name}>{checkInWords(check.name)}</p>
        <p>{reasonOf(check)}</p>
        {typeof opening === "string" && (
          <p>
            Opens again: <Moment at={opening} />
          </p>
        )}
        {check.status === "failed" && <p className={styles.soft}>Cleared by: {whoClears(check.name, forceable)}.</p>}
        {check.fix !== undefined && (
          <details className={styles.soft}>
            <summary>How by the API</summary>
            {check.fix}
          </details>
        )}
      </div>
    </li>
  );
}
