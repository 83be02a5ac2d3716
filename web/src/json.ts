/** Where in a text something is: lines and columns count from 1. */
export interface PlaceInText {
  readonly line: number;
  readonly column: number;
}

const SPACE = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON keeps just these out of its strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** From where on a text is no JSON, which browsers tell each in their own way, and not always; `null` where it is. */
export function faultInJson(text: string): PlaceInText | null {
  try {
    JSON.parse(text);
    return null;
  } catch {
    const before = text.slice(0, endOfJson(text)).split("\n");
    return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
  }
}

/** How far a text can be read as JSON. */
function endOfJson(text: string): number {
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at += found[0].length;
    return found !== null;
  };
  const takeSign = (sign: string): boolean => {
    take(SPACE);
    const isThere = text[at] === sign;
    if (isThere) at++;
    take(SPACE);
    return isThere;
  };
  const takeName = () => take(STRING) && takeSign(":");
  /** What ends each object and list that is open, the innermost last. */
  const open: ("}" | "]")[] = [];
  for (;;) {
    take(SPACE);
    if (takeSign("{")) {
      open.push("}");
      if (text[at] !== "}") {
        if (!takeName()) return at;
        continue;
      }
    } else if (takeSign("[")) {
      open.push("]");
      if (text[at] !== "]") continue;
    } else if (!take(STRING) && !take(SCALAR)) return at;
    // A value has ended, and perhaps what it is in.
    for (let end = open.at(-1); end !== undefined && takeSign(end); end = open.at(-1)) open.pop();
    take(SPACE);
    if (open.length === 0 || !takeSign(",")) return at;
    if (open.at(-1) === "}" && !takeName()) return at;
  }
}
