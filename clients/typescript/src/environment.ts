/** What the page knows of itself. Outside a browser it is always visible and never woken. */
export interface Environment {
  isVisible(): boolean;
  /** Back in the foreground, or online again: a connection is likely to work, or to be dead without having said so. */
  onWake(listener: () => void): () => void;
  /** The page may be frozen or gone after this. */
  onHide(listener: () => void): () => void;
}

export const pageEnvironment: Environment = {
  isVisible: () => globalThis.document?.visibilityState !== "hidden",
  onWake: listener => {
    const whenVisible = () => {
      if (document.visibilityState === "visible") listener();
    };
    return listen(["window", "online", listener], ["window", "pageshow", listener], ["document", "visibilitychange", whenVisible]);
  },
  onHide: listener => {
    const whenHidden = () => {
      if (document.visibilityState === "hidden") listener();
    };
    return listen(["window", "pagehide", listener], ["document", "visibilitychange", whenHidden]);
  },
};

function listen(...entries: ["window" | "document", string, () => void][]): () => void {
  const stops = entries.map(([target, name, listener]) => {
    const on = globalThis[target] as EventTarget | undefined;
    on?.addEventListener?.(name, listener);
    return () => on?.removeEventListener?.(name, listener);
  });
  return () => {
    for (const stop of stops) stop();
  };
}
