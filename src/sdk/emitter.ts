type Listener<Event> = (event: Event) => void;

/** Tells listeners of events, each of its kind. One that throws keeps neither the others nor the teller from going on. */
export class Emitter<Events extends object> {
  readonly #listeners: { [Name in keyof Events]?: Set<Listener<Events[Name]>> } = {};

  /** @returns what ends it */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = this.#listeners[name] ?? new Set<Listener<Events[Name]>>();
    this.#listeners[name] = listeners;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        // It is a fault of the program's own, and told as any that nobody catches.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
