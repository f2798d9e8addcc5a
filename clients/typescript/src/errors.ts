/** What the service refused, or what became of the connection. `code` is one of the contract's codes, or one of the client's own: see the README. */
export class RealtimeError extends Error {
  override readonly name = "RealtimeError";
  readonly code: string;
  /** The HTTP status, where the refusal came by HTTP. */
  readonly status: number | undefined;
  /** JSON pointers into what was sent, each with what is wrong there. */
  readonly errors: Readonly<Record<string, readonly string[]>> | undefined;

  constructor(code: string, message: string, more: { status?: number; errors?: Record<string, string[]>; cause?: unknown } = {}) {
    super(message, "cause" in more ? { cause: more.cause } : undefined);
    this.code = code;
    this.status = more.status;
    this.errors = more.errors;
  }
}

/** The connection was lost, or there is none. Whether a call under way was done is not known. */
export const disconnected = "disconnected";

const byStatus: Record<number, string> = { 401: "unauthenticated", 403: "forbidden", 404: "not_found", 429: "rate_limited", 503: "unavailable" };

/** SignalR's client puts its own words before the hub's `code: message`, and an HTTP problem with its status into one text. */
export function toRealtimeError(error: unknown): RealtimeError {
  if (error instanceof RealtimeError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const hub = /HubException: ([a-z_]+): ([\s\S]*)$/.exec(text) ?? /^([a-z_]+): ([\s\S]*)$/.exec(text);
  if (hub) return fromHub(hub[1] as string, hub[2] as string, error);
  const status = Number(/Status code '(\d{3})'/.exec(text)?.[1] ?? 0);
  // The hub did answer, but says no more of faults that are its own.
  if (text.startsWith("An unexpected error occurred invoking") || text.startsWith("Failed to invoke"))
    return new RealtimeError("internal", text, { cause: error });
  if (status === 0) return new RealtimeError(disconnected, text, { cause: error });
  const code = /"code":\s*"([a-z_]+)"/.exec(text)?.[1] ?? byStatus[status] ?? (status >= 500 ? "unavailable" : "refused");
  return new RealtimeError(code, text, { status, cause: error });
}

/** An answer of the HTTP calls that is no success. */
export async function fromResponse(response: Response): Promise<RealtimeError> {
  const { status } = response;
  const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; title?: string; errors?: Record<string, string[]> };
  const code = problem.code ?? byStatus[status] ?? (status >= 500 ? "unavailable" : "refused");
  return new RealtimeError(code, problem.detail ?? problem.title ?? `HTTP ${status}`, { status, ...(problem.errors && { errors: problem.errors }) });
}

/** The same may be accepted later, with the same token. */
export function isPassing(error: RealtimeError): boolean {
  return [disconnected, "unavailable", "internal", "rate_limited"].includes(error.code);
}

/** Only another token can help. */
export function isRefusal(error: RealtimeError): boolean {
  return error.status === 401 || error.status === 403 || error.code === "unauthenticated" || error.code === "user_blocked";
}

function fromHub(code: string, rest: string, cause: unknown): RealtimeError {
  const json = /\s(\{"\/[\s\S]*?\]\})/.exec(rest);
  try {
    if (json) return new RealtimeError(code, rest.slice(0, json.index), { errors: JSON.parse(json[1] as string) as Record<string, string[]>, cause });
  } catch {
    // Not the list of faults after all: it stays in the message.
  }
  return new RealtimeError(code, rest, { cause });
}
