/**
 * What a regular expression costs, counted: a backtracking matcher in the manner of ECMA-262 §22.2.2, which steps as every engine of
 * this kind does, and a search for the text that makes it take the most steps. Steps are the same on every machine, at any load.
 */

/** A set of characters, as the pattern's source writes it; and a character that it holds. */
interface CharacterSet {
  readonly kind: "set";
  readonly has: (character: string) => boolean;
}
interface Sequence {
  readonly kind: "sequence";
  readonly items: readonly Node[];
}
interface Choice {
  readonly kind: "choice";
  readonly options: readonly Node[];
}
interface Repeat {
  readonly kind: "repeat";
  readonly item: Node;
  readonly min: number;
  readonly max: number;
  readonly lazy: boolean;
}
interface Edge {
  readonly kind: "start" | "end";
}
interface Look {
  readonly kind: "look";
  readonly item: Node;
  readonly behind: boolean;
  readonly negative: boolean;
}
type Node = CharacterSet | Sequence | Choice | Repeat | Edge | Look;

/** Reads what the engine's patterns are made of. @throws where one uses more than that */
class Reader {
  readonly #source: string;
  readonly #flags: string;
  #at = 0;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#flags = flags;
  }

  read(): Node {
    const node = this.#choice();
    if (this.#at < this.#source.length) throw this.#unknown();
    return node;
  }

  #choice(): Node {
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    return options.length === 1 ? (options[0] as Node) : { kind: "choice", options };
  }

  #sequence(): Node {
    const items: Node[] = [];
    while (this.#at < this.#source.length && !"|)".includes(this.#source[this.#at] ?? "")) items.push(this.#repeated());
    return { kind: "sequence", items };
  }

  #repeated(): Node {
    const item = this.#item();
    const bounds = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})/.exec(this.#source.slice(this.#at));
    if (bounds === null) return item;
    const [text, low, comma, high] = bounds;
    this.#at += text.length;
    const lazy = this.#take("?");
    if (low === undefined)
      return { kind: "repeat", item, min: text === "+" ? 1 : 0, max: text === "?" ? 1 : Number.POSITIVE_INFINITY, lazy };
    const max = comma === "" ? Number(low) : high === "" ? Number.POSITIVE_INFINITY : Number(high);
    return { kind: "repeat", item, min: Number(low), max, lazy };
  }

  #item(): Node {
    if (this.#take("^")) return { kind: "start" };
    if (this.#take("$")) return { kind: "end" };
    if (this.#take("(")) return this.#group();
    return this.#set();
  }

  #group(): Node {
    const [, behind, sign] = /^\?(<?)([=!])/.exec(this.#source.slice(this.#at)) ?? [];
    if (sign !== undefined) {
      this.#at += 2 + (behind ?? "").length;
      return { kind: "look", behind: behind === "<", negative: sign === "!", item: this.#closed() };
    }
    if (this.#source.startsWith("?:", this.#at)) this.#at += 2;
    else if (this.#source[this.#at] === "?") throw this.#unknown();
    return this.#closed();
  }

  #closed(): Node {
    const inner = this.#choice();
    if (!this.#take(")")) throw this.#unknown();
    return inner;
  }

  /** One character, an escape or a class: what it holds, JavaScript itself is asked. */
  #set(): Node {
    const atom =
      /^(?:\[(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\[^bBk1-9]|[^\\[\](){}*+?|^$])/iu.exec(
        this.#source.slice(this.#at),
      )?.[0];
    if (atom === undefined) throw this.#unknown();
    this.#at += atom.length;
    const pattern = new RegExp(`^(?:${atom})$`, this.#flags.replace(/[gym]/g, ""));
    const known = new Map<string, boolean>();
    const has = (character: string): boolean => {
      const found = known.get(character) ?? pattern.test(character);
      known.set(character, found);
      return found;
    };
    return { kind: "set", has };
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #unknown(): Error {
    return new Error(`/${this.#source}/ cannot be read at ${this.#at}`);
  }
}

/** What is asked when a part has matched: whether the rest does, from here. */
type Then = (at: number) => boolean;

/** Thrown where a text costs more than anybody needs to know exactly. */
class TooMany extends Error {}

const MAX_STEPS = 400_000;

/** One pattern, matched step by step. */
export class CountedPattern {
  readonly #node: Node;
  readonly #isMultiline: boolean;
  #text: readonly string[] = [];
  #steps = 0;

  constructor(source: string, flags: string) {
    this.#node = new Reader(source, flags).read();
    this.#isMultiline = flags.includes("m");
  }

  /** Steps until every match in `text` is found, one after another, as `replace` and `matchAll` go through it; and whether there is one. */
  run(text: string): { readonly steps: number; readonly found: boolean } {
    this.#text = [...text];
    this.#steps = 0;
    let found = false;
    try {
      for (let from = 0; from <= this.#text.length; ) {
        let end = -1;
        const matched = this.#match(this.#node, from, (at) => {
          end = at;
          return true;
        });
        found ||= matched;
        from = matched && end > from ? end : from + 1;
      }
    } catch (error) {
      if (!(error instanceof TooMany)) throw error;
    }
    return { steps: this.#steps, found };
  }

  /** One character for each way in which characters can differ to this pattern: those of one kind are all the same to it. */
  alphabet(): readonly string[] {
    const sets = [...setsOf(this.#node)];
    const kinds = new Map<string, string>();
    for (let code = 0; code < 0x180; code++) {
      const character = String.fromCodePoint(code);
      const kind = sets.map(({ has }) => (has(character) ? "1" : "0")).join("");
      if (!kinds.has(kind)) kinds.set(kind, character);
    }
    return [...kinds.values()];
  }

  /** The shortest texts that lead up to each repetition, and once through it. */
  leads(): readonly { readonly before: string; readonly through: string }[] {
    const alphabet = this.alphabet();
    const leads: { before: string; through: string }[] = [];
    const walk = (node: Node, before: string): void => {
      if (node.kind === "repeat") leads.push({ before, through: sample(node.item, alphabet) });
      if (node.kind === "repeat" || node.kind === "look") walk(node.item, before);
      if (node.kind === "choice") for (const option of node.options) walk(option, before);
      if (node.kind === "sequence") {
        let lead = before;
        for (const item of node.items) {
          walk(item, lead);
          lead += sample(item, alphabet);
        }
      }
    };
    walk(this.#node, "");
    return leads;
  }

  #match(node: Node, at: number, then: Then): boolean {
    if (++this.#steps > MAX_STEPS) throw new TooMany();
    switch (node.kind) {
      case "set":
        return at < this.#text.length && node.has(this.#text[at] ?? "") && then(at + 1);
      case "sequence":
        return this.#sequence(node.items, 0, at, then);
      case "choice":
        return node.options.some((option) => this.#match(option, at, then));
      case "repeat":
        return this.#repeat(node, 0, at, then);
      case "look":
        return this.#look(node, at) !== node.negative && then(at);
      case "start":
        return (at === 0 || this.#isLineEnd(at - 1)) && then(at);
      case "end":
        return (at === this.#text.length || this.#isLineEnd(at)) && then(at);
    }
  }

  #isLineEnd(at: number): boolean {
    return this.#isMultiline && /[\n\r\u2028\u2029]/.test(this.#text[at] ?? "");
  }

  #sequence(items: readonly Node[], index: number, at: number, then: Then): boolean {
    const item = items[index];
    if (item === undefined) return then(at);
    return this.#match(item, at, (next) => this.#sequence(items, index + 1, next, then));
  }

  #repeat(node: Repeat, count: number, at: number, then: Then): boolean {
    const more = () =>
      count < node.max &&
      this.#match(node.item, at, (next) => (next === at && count >= node.min ? false : this.#repeat(node, count + 1, next, then)));
    if (count < node.min) return more();
    return node.lazy ? then(at) || more() : more() || then(at);
  }

  #look({ item, behind }: Look, at: number): boolean {
    if (!behind) return this.#match(item, at, () => true);
    for (let from = at; from >= 0; from--) if (this.#match(item, from, (end) => end === at)) return true;
    return false;
  }
}

function* setsOf(node: Node): Generator<CharacterSet> {
  if (node.kind === "set") yield node;
  else if (node.kind === "repeat" || node.kind === "look") yield* setsOf(node.item);
  else if (node.kind === "choice") for (const option of node.options) yield* setsOf(option);
  else if (node.kind === "sequence") for (const item of node.items) yield* setsOf(item);
}

/** A short text that a part matches. */
function sample(node: Node, alphabet: readonly string[]): string {
  switch (node.kind) {
    case "set":
      return alphabet.find((character) => node.has(character)) ?? "";
    case "sequence":
      return node.items.map((item) => sample(item, alphabet)).join("");
    case "choice":
      return node.options.map((option) => sample(option, alphabet)).reduce((left, right) => (right.length < left.length ? right : left));
    case "repeat":
      return sample(node.item, alphabet).repeat(node.min);
    default:
      return "";
  }
}

/** Texts that grow with `size`: each lead, then something over and over, then an end that may not fit. */
export function* adversaries(pattern: CountedPattern): Generator<(size: number) => string> {
  const alphabet = pattern.alphabet();
  const leads = pattern.leads();
  const befores = new Set(["", ...leads.map(({ before }) => before)]);
  const pairs = alphabet.length > 12 ? [] : alphabet.flatMap((left) => alphabet.map((right) => left + right));
  const pumps = new Set([...alphabet, ...pairs, ...leads.map(({ through }) => through)].filter((pump) => pump !== ""));
  const ends = new Set(["", "\0", "\n", alphabet.at(-1) ?? ""]);
  for (const before of befores) {
    for (const pump of pumps) for (const end of ends) yield (size) => before + pump.repeat(Math.ceil(size / pump.length)) + end;
  }
}

export interface Growth {
  readonly text: string;
  /** Steps at sizes of one, two and four. */
  readonly steps: readonly [number, number, number];
}

/** How much faster than its text a pattern's work may grow: twice the text, at most this many times the steps. */
const LINEAR = 2.6;

/** A text on which the pattern takes more than proportionally many steps; `null` where none was found. */
export function worstCase(pattern: CountedPattern, size: number): Growth | null {
  for (const textOf of adversaries(pattern)) {
    const [first, second] = [pattern.run(textOf(size)).steps, pattern.run(textOf(2 * size)).steps];
    if (second < LINEAR * first && second < MAX_STEPS) continue;
    const third = pattern.run(textOf(4 * size)).steps;
    if (third >= LINEAR * second || third >= MAX_STEPS) return { text: textOf(4), steps: [first, second, third] };
  }
  return null;
}
