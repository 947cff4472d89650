/**
 * Why something failed, for programs.
 *
 * - `unauthorized`: the token or key is wrong, expired, or not good for this session
 * - `not-found`: no such session (or account, or path)
 * - `invalid`: the server refused the request's content
 * - `conflict`: the request contradicts what exists
 * - `busy`: another viewer is connected to the session
 * - `replaced`: another viewer took this one's place
 * - `worker`: the worker gave up on this connection
 * - `not-ready`: the session is still starting
 * - `ended`: the session is over
 * - `rate-limited`: too many requests; see `retryAfterMs`
 * - `server`: the server failed, or answered something that is no answer
 * - `network`: the server was not reached
 * - `media`: signalling worked, but no media connection came up or it broke
 * - `unsupported`: this browser lacks WebRTC or a common codec
 * - `aborted`: the caller gave up
 */
export type ErrorReason =
  | "unauthorized"
  | "not-found"
  | "invalid"
  | "conflict"
  | "busy"
  | "replaced"
  | "worker"
  | "not-ready"
  | "ended"
  | "rate-limited"
  | "server"
  | "network"
  | "media"
  | "unsupported"
  | "aborted";

export interface ErrorDetails {
  cause?: unknown;
  /** HTTP status, when there was an answer. */
  status?: number | undefined;
  /** `error.code` of the REST API or of the worker, when there was one. */
  code?: string | undefined;
  retryAfterMs?: number | undefined;
}

/** The one error type of this package. */
export class HeliographError extends Error {
  override readonly name = "HeliographError";
  readonly reason: ErrorReason;
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(reason: ErrorReason, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.status = details.status;
    this.code = details.code;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** Wraps whatever was thrown; a HeliographError stays itself. */
  static from(error: unknown, reason: ErrorReason, message: string): HeliographError {
    if (error instanceof HeliographError) return error;
    if (error instanceof DOMException && error.name === "AbortError") {
      return new HeliographError("aborted", "The operation was aborted.", { cause: error });
    }
    return new HeliographError(reason, message, { cause: error });
  }

  /** The error that an HTTP answer other than 2xx stands for. */
  static async fromResponse(response: Response): Promise<HeliographError> {
    const { code, message } = await readErrorBody(response);
    const after = Number(response.headers.get("Retry-After") ?? NaN);
    return new HeliographError(
      reasonOf(response.status, code),
      message ||
        (response.status === 401 ? "The server does not accept the token." : `The server answered with status ${response.status}.`),
      { status: response.status, code, retryAfterMs: Number.isFinite(after) ? after * 1000 : undefined },
    );
  }
}

async function readErrorBody(response: Response): Promise<{ code: string | undefined; message: string }> {
  try {
    const body: unknown = await response.json();
    const error = (body as { error?: { code?: unknown; message?: unknown } } | null)?.error;
    return {
      code: typeof error?.code === "string" ? error.code : undefined,
      message: typeof error?.message === "string" ? error.message : "",
    };
  } catch {
    return { code: undefined, message: "" }; // no body, as with 401
  }
}

function reasonOf(status: number, code: string | undefined): ErrorReason {
  if (code === "OtherSessionConnected") return "busy";
  switch (status) {
    case 400:
    case 415:
    case 422:
      return "invalid";
    case 401:
    case 403:
      return "unauthorized";
    case 404:
    case 405:
      return "not-found";
    case 409:
      return "conflict";
    case 410:
      return "ended";
    case 429:
      return "rate-limited";
    case 503:
      return "not-ready";
    default:
      return "server";
  }
}
