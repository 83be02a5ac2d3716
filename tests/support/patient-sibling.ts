import { Sibling, type SiblingCall } from "../../src/engines/sibling.ts";
import { later } from "./clean-up.ts";

/** For what is answered, on whatever machine. */
const PATIENT_MS = 60_000;
/** For what is not. */
const HASTY_MS = 300;

let timeoutMs = PATIENT_MS;

/** Whether requests that begin from now on, and in this test, are answered by nobody, so that it is no use to wait for long. */
export function expectSilence(isSilent: boolean): void {
  if (isSilent) later(() => expectSilence(false));
  timeoutMs = isSilent ? HASTY_MS : PATIENT_MS;
}

/** A sibling that waits for an answer as long as that takes, and only where a test says that none will come, not for long. */
export class PatientSibling extends Sibling {
  override call(path: readonly string[], call: SiblingCall) {
    return super.call(path, { ...call, timeoutMs });
  }
}
