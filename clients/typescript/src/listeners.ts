/** Who wants to hear. A fault of one is no reason for the others not to. */
export class Listeners<Message> {
  readonly #listeners = new Set<(message: Message) => void>();

  constructor(private readonly report: (error: unknown) => void) {}

  get size(): number {
    return this.#listeners.size;
  }

  add(listener: (message: Message) => void): () => void {
    // The same function twice is two listeners, each with its own end.
    const own = (message: Message) => listener(message);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  tell(message: Message): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(message);
      } catch (error) {
        this.report(error);
      }
    }
  }
}
