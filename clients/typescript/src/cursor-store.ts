import type { Cursor } from "./contract.js";

/** Where cursors outlive the page. Best beside the state that the events are applied to: then neither is ahead of the other. */
export interface CursorStore {
  load(app: string): Cursor | undefined | Promise<Cursor | undefined>;
  save(app: string, cursor: Cursor): void | Promise<void>;
  remove(app: string): void | Promise<void>;
  clear(): void | Promise<void>;
}

/** What is used of `localStorage` and `sessionStorage`. */
export interface WebStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Forgotten with the page. */
export function memoryCursors(): CursorStore {
  const cursors = new Map<string, Cursor>();
  return {
    load: app => cursors.get(app),
    save: (app, cursor) => void cursors.set(app, cursor),
    remove: app => void cursors.delete(app),
    clear: () => cursors.clear(),
  };
}

/**
 * Cursors in `localStorage` or `sessionStorage`. `localStorage` is one for all tabs, and the last to write wins: right where the tabs share the state that
 * events are applied to as well. Where each tab has its own state, take `sessionStorage`.
 */
export function storageCursors(storage: WebStorage, prefix = "oriva:cursor:"): CursorStore {
  return {
    load(app) {
      try {
        const cursor = JSON.parse(storage.getItem(prefix + app) ?? "null") as Cursor | null;
        return isCursor(cursor) ? cursor : undefined;
      } catch {
        return undefined; // written by somebody else
      }
    },
    save: (app, cursor) => storage.setItem(prefix + app, JSON.stringify(cursor)),
    remove: app => storage.removeItem(prefix + app),
    clear() {
      const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i));
      for (const key of keys) if (key?.startsWith(prefix)) storage.removeItem(key);
    },
  };
}

function isCursor(value: Cursor | null): value is Cursor {
  return typeof value?.epoch === "string" && typeof value.streams === "object" && Object.values(value.streams ?? {}).every(Number.isSafeInteger);
}
