import { readFileSync } from "node:fs";

/** Reading the documents of this repository, so that what they say can be compared with what is so. */

export function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}

/** What stands under a heading, up to the next one of its level or above. */
export function section(text: string, heading: string): string {
  const lines = text.split("\n");
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`there is no heading ${heading}`);
  const level = heading.indexOf(" ");
  let inCode = false;
  const end = lines.findIndex((line, index) => {
    if (line.startsWith("```")) inCode = !inCode;
    const [marks = ""] = /^#+(?= )/.exec(line) ?? [];
    return index > start && !inCode && marks !== "" && marks.length <= level;
  });
  return lines.slice(start + 1, end < 0 ? undefined : end).join("\n");
}

/** The code blocks of a language. */
export function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, code]) => code ?? "");
}

/** The rows of all tables, without their headings: cells as they are written. `\|` is no border. */
export function rows(text: string): string[][] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const isHeading = /^\|( ?:?-+:? ?\|)+$/.test(lines[index + 1] ?? "");
    if (!line.startsWith("|") || isHeading || /^\|( ?:?-+:? ?\|)+$/.test(line)) return [];
    return [
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    ];
  });
}

/** What stands between the first pair of backticks. */
export function code(cell: string | undefined): string {
  return /`([^`]+)`/.exec(cell ?? "")?.[1] ?? "";
}

/** The actions that a project's audit log may have, as the specification lists them. */
export function projectActions(spec: string): string[] {
  const table = spec.split("| action | of |")[1]?.split("\n\n")[0] ?? "";
  const told = [...table.matchAll(/^\| ((?:`[a-z_ ]+`)) \|(.*)$/gm)].filter(([, , of = ""]) => !of.includes("`_system` alone"));
  return told.flatMap(([, names = ""]) => names.replaceAll("`", "").split(" "));
}
