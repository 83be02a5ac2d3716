/**
 * Whether a concurrent history could have been produced by one object that does one operation at a time, each at some moment between
 * its call and its return.
 *
 * The algorithm is the one of Porcupine (Athalye, https://github.com/anishathalye/porcupine): Wing and Gong's search, with Lowe's
 * memory of configurations that led nowhere ("Testing for linearizability", 2017), and P-compositionality (Horn and Kroening, "Faster
 * linearizability checking via P-compositionality", 2015): a history of several independent objects is checked object by object.
 */

/** One operation as its client saw it. */
export interface Operation<Input, Output> {
  readonly client: string;
  readonly input: Input;
  /** `null`: nobody was told what became of it. It may have happened at any time after its call, or never. */
  readonly output: Output | null;
  /** When it was begun, and when its answer came: by one clock, whatever its unit. Without an answer, `Infinity`. */
  readonly call: number;
  readonly return: number;
}

export type History<Input, Output> = readonly Operation<Input, Output>[];

/** What the object is. States are plain data and never changed. */
export interface Model<Input, Output, State> {
  /** Which of several independent objects an operation is about. */
  objectOf(input: Input): string;
  readonly initial: State;
  /** The state after the operation, where it may have had that output; `null` where not. */
  step(state: State, input: Input, output: Output | null): State | null;
  /** The same for equal states, and different for others. */
  keyOf(state: State): string;
}

/** `longest`: of the object's operations, the most that fit into one order before nothing else did. */
export type Verdict<Input, Output> =
  | { readonly ok: true }
  | { readonly ok: false; readonly object: string; readonly longest: History<Input, Output>; readonly history: History<Input, Output> };

export function checkLinearizable<Input, Output, State>(
  model: Model<Input, Output, State>,
  history: History<Input, Output>,
): Verdict<Input, Output> {
  const objects = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const object = model.objectOf(operation.input);
    objects.set(object, [...(objects.get(object) ?? []), operation]);
  }
  for (const [object, operations] of objects) {
    const longest = new Search(model, operations).run();
    if (longest !== null) return { ok: false, object, longest, history: operations };
  }
  return { ok: true };
}

/** An event of the history: a call, or the return that goes with it. They form a list from which what is in order is taken out. */
interface Event {
  readonly id: number;
  /** Of a call. */
  readonly answer: Event | null;
  previous: Event | null;
  next: Event | null;
}

class Search<Input, Output, State> {
  readonly #model: Model<Input, Output, State>;
  readonly #operations: History<Input, Output>;
  readonly #head: Event = { id: -1, answer: null, previous: null, next: null };
  /** Which operations are in order so far. */
  readonly #done: Uint8Array;
  /** Sets of operations and the state after them that were looked at already, in whatever order they came about. */
  readonly #seen = new Set<string>();
  /** Answered operations that are not in order yet. What was never answered need not have happened. */
  #left: number;
  #longest: History<Input, Output> = [];

  constructor(model: Model<Input, Output, State>, operations: History<Input, Output>) {
    this.#model = model;
    this.#operations = operations;
    this.#done = new Uint8Array(operations.length);
    this.#left = operations.filter(({ output }) => output !== null).length;
    linkEvents(this.#head, operations);
  }

  /** `null` where all fit into one order; otherwise the longest that was found. */
  run(): History<Input, Output> | null {
    const order: { readonly call: Event; readonly before: State }[] = [];
    let state = this.#model.initial;
    let event = this.#head.next;
    while (this.#left > 0) {
      if (event?.answer) {
        const after = this.#after(event, state);
        if (after === null) {
          event = event.next;
          continue;
        }
        order.push({ call: event, before: state });
        state = after;
        this.#take(event);
        if (order.length > this.#longest.length) this.#longest = order.map(({ call }) => this.#operationOf(call));
        event = this.#head.next;
      } else {
        // A return of what is not in order yet, or the end: what was put in order last was put there too early.
        const last = order.pop();
        if (last === undefined) return this.#longest;
        state = last.before;
        this.#putBack(last.call);
        event = last.call.next;
      }
    }
    return null;
  }

  /** The state after this operation comes next; `null` where it cannot, or where that was tried before. */
  #after(call: Event, state: State): State | null {
    const { input, output } = this.#operationOf(call);
    const after = this.#model.step(state, input, output);
    if (after === null) return null;
    this.#done[call.id] = 1;
    const configuration = `${Buffer.from(this.#done).toString("latin1")}${this.#model.keyOf(after)}`;
    this.#done[call.id] = 0;
    if (this.#seen.has(configuration)) return null;
    this.#seen.add(configuration);
    return after;
  }

  #take(call: Event): void {
    this.#done[call.id] = 1;
    if (this.#operationOf(call).output !== null) this.#left--;
    for (const event of [call, call.answer as Event]) {
      if (event.previous) event.previous.next = event.next;
      if (event.next) event.next.previous = event.previous;
    }
  }

  /** In the reverse order of `#take`: each finds its neighbours as it left them. */
  #putBack(call: Event): void {
    this.#done[call.id] = 0;
    if (this.#operationOf(call).output !== null) this.#left++;
    for (const event of [call.answer as Event, call]) {
      if (event.previous) event.previous.next = event;
      if (event.next) event.next.previous = event;
    }
  }

  #operationOf({ id }: Event): Operation<Input, Output> {
    return this.#operations[id] as Operation<Input, Output>;
  }
}

/** By time; of the same moment calls first, since operations that touch may have overlapped. */
function linkEvents(head: Event, operations: History<unknown, unknown>): void {
  const events = operations.flatMap((operation, id) => {
    const answer: Event = { id, answer: null, previous: null, next: null };
    return [
      { time: operation.call, order: 0, event: { id, answer, previous: null, next: null } as Event },
      { time: operation.return, order: 1, event: answer },
    ];
  });
  // `Infinity - Infinity` is no number.
  events.sort((left, right) => (left.time === right.time ? left.order - right.order : left.time - right.time));
  let last = head;
  for (const { event } of events) {
    last.next = event;
    event.previous = last;
    last = event;
  }
}
