import { group } from "../command.ts";
import { cloneUrl, mirror } from "./git-mirror.ts";
import { pull, source } from "./git-pull.ts";

export const git = () =>
  group("git", "The project as a Git repository, and repositories that it is brought from", [], [cloneUrl(), mirror(), pull(), source()]);
