import { group } from "../command.ts";
import { pull, source } from "./git-pull.ts";

export const git = () => group("git", "Environments and Git repositories", [], [pull(), source()]);
