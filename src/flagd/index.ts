export type { Fault } from "./check-rule.ts";
export { type Context, contextFault } from "./context.ts";
export {
  type Definition,
  definitionFaults,
  definitionSteps,
  evaluatorFaults,
  expanded,
  metadataFaults,
  type Shared,
} from "./definition.ts";
export {
  compileFlags,
  type Evaluated,
  type Evaluation,
  type EvaluationError,
  type FlagSet,
  type NotEvaluated,
  type Reason,
} from "./flag-set.ts";
