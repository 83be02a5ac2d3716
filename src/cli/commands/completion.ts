import { does, leaf } from "../command.ts";
import { usage } from "../failure.ts";

/** Each asks `envm __complete` for what goes at the end of the words so far. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# envm completion for bash. In ~/.bashrc:  eval "$(envm completion bash)"
_envm() {
  COMPREPLY=()
  local word
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <(envm __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o default -F _envm envm
`,
  zsh: `#compdef envm
# envm completion for zsh. In ~/.zshrc, after compinit:  eval "$(envm completion zsh)"
_envm() {
  local -a found
  found=("\${(@f)$(envm __complete --described -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then
    _describe 'envm' found
  else
    _files
  fi
}
compdef _envm envm
`,
  fish: `# envm completion for fish:  envm completion fish > ~/.config/fish/completions/envm.fish
function __envm_complete
  set -l words (commandline -opc)
  envm __complete --tabbed -- $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c envm -a '(__envm_complete)'
`,
};

export const completion = () =>
  does(
    leaf("completion", {
      summary: "A script that lets a shell complete commands, and names of environments and keys",
      examples: ["envm completion bash", "envm completion zsh", "envm completion fish"],
    }).argument("<shell>", Object.keys(SCRIPTS).join(", ")),
    async ({ output }, _options, shell = "") => {
      const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
      if (script === undefined) throw usage(`There is no completion for ${shell}.`, `Shells: ${Object.keys(SCRIPTS).join(", ")}.`);
      return output.write(script);
    },
  );
