import { RealtimeClient, type RealtimeOptions } from "../client.js";
import type { AnyEvents } from "../event-map.js";
import { FakeHub } from "./fake-hub.js";
import { ManualClock, settle } from "./manual-clock.js";

export class FakePage {
  visible = true;
  readonly #wake = new Set<() => void>();
  readonly #hide = new Set<() => void>();
  isVisible = () => this.visible;
  onWake = (listener: () => void) => {
    this.#wake.add(listener);
    return () => void this.#wake.delete(listener);
  };
  onHide = (listener: () => void) => {
    this.#hide.add(listener);
    return () => void this.#hide.delete(listener);
  };
  wake(): void {
    for (const listener of [...this.#wake]) listener();
  }
  hide(): void {
    for (const listener of [...this.#hide]) listener();
  }
}

export function setUp<Events extends object = AnyEvents>(more: Partial<RealtimeOptions> = {}, hub = new FakeHub()) {
  const clock = (more.clock as ManualClock | undefined) ?? new ManualClock();
  const page = new FakePage();
  const client = new RealtimeClient<Events>({ url: "http://hub/", token: () => "token", open: hub.open, environment: page, ...more, clock });
  const errors: string[] = [];
  client.onError(error => errors.push(error.code));
  return { hub, clock, page, client, errors, settle };
}

/** A JWT that expires then; nobody verifies it here. */
export function jwt(expiresAtMs: number, sub = "ada"): string {
  return `${btoa("{}")}.${btoa(JSON.stringify({ sub, exp: expiresAtMs / 1_000 }))}.x`;
}
