import type { PresentUser, Signal } from "./contract.js";
import { isPassing, type RealtimeError, toRealtimeError } from "./errors.js";
import type { Link } from "./link.js";

export interface PresenceSnapshot {
  /** At most the first thousand. */
  readonly users: readonly PresentUser[];
  readonly total: number;
}

interface Answer {
  users: PresentUser[];
  total: number;
}

interface Change {
  joined: PresentUser[];
  left: string[];
  total: number;
}

/** Who is in one app, or one topic of it: asked once for each subscription of the hub, and kept by its signals. */
export class PresenceWatch {
  #users = new Map<string, PresentUser>();

  constructor(
    readonly app: string,
    readonly topic: string | undefined,
    private readonly tell: (snapshot: PresenceSnapshot) => void,
    private readonly fail: (error: RealtimeError) => void,
  ) {}

  async ask(link: Link): Promise<void> {
    try {
      const { users, total } = (await link.invoke("Presence", { app: this.app, ...(this.topic !== undefined && { topic: this.topic }) })) as Answer;
      this.#users = new Map(users.map(user => [user.userId, user]));
      this.#tell(total);
    } catch (error) {
      const failure = toRealtimeError(error);
      // After a passing one, the next subscription asks again; what is known stands until then.
      if (!isPassing(failure)) this.fail(failure);
    }
  }

  take(signal: Signal): void {
    if (signal.name !== "presence" || signal.from !== "oriva" || signal.app !== this.app || (signal.topic ?? undefined) !== this.topic) return;
    const { joined, left, total } = signal.data as unknown as Change;
    for (const userId of left) this.#users.delete(userId);
    for (const user of joined) this.#users.set(user.userId, user);
    this.#tell(total);
  }

  #tell(total: number): void {
    this.tell({ users: [...this.#users.values()], total });
  }
}
