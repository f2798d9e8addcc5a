import type { Clock } from "./clock.js";

/** The newest token, and when it must be renewed. */
export class TokenSource {
  #current = "";

  constructor(
    private readonly get: () => string | Promise<string>,
    private readonly clock: Clock,
  ) {}

  get current(): string {
    return this.#current;
  }

  async fresh(): Promise<string> {
    this.#current = await this.get();
    return this.#current;
  }

  forget(): void {
    this.#current = "";
  }

  /** A minute before it expires; of a short-lived token, in the middle of what is left. Undefined when it says no expiry, as API keys do. */
  renewInMs(): number | undefined {
    const expiresAt = expiryOf(this.#current);
    if (expiresAt === undefined) return undefined;
    const left = expiresAt - this.clock.now();
    return Math.max(left - 60_000, left / 2, 10_000);
  }
}

/** `exp` of a JWT in milliseconds, read and not verified: only the hub can do that. */
export function expiryOf(token: string): number | undefined {
  try {
    const payload = (token.split(".")[1] as string).replace(/-/g, "+").replace(/_/g, "/");
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1_000 : undefined;
  } catch {
    return undefined;
  }
}
