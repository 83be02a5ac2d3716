/** A step did not go as it must: the message says which request, and what the engine said. */
export class StepFailed extends Error {
  override readonly name = "StepFailed";
}
