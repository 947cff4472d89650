import { HeliographError } from "./errors.ts";
import { sleep } from "./time.ts";

export type SessionStatus = "Starting" | "Ready" | "Stopped" | "Expired" | "Error";
export type SessionSize = "Standard" | "Premium";

/** A session as the REST contract shows it. */
export interface Session {
  id: string;
  /** RFC 3339. */
  creationTime: string;
  /** Whole minutes since Ready. */
  elapsedTimeMinutes: number;
  /** The total lease, counted from Ready. */
  maxLeaseTimeMinutes: number;
  size: SessionSize;
  status: SessionStatus;
  /** Present while Ready. */
  hostname?: string;
  handshakePort?: number;
  arrInspectorPort?: number;
  /** Present from Ready on. */
  teraflops?: number;
  /** Present when the status is Error. */
  error?: { code: string; message: string } | null;
}

export interface SessionSettings {
  size: SessionSize;
  maxLeaseTimeMinutes: number;
}

/** A token that is good for one session only. */
export interface ViewerToken {
  token: string;
  expiresAt: string;
  viewerUrl: string;
}

/** A model on its way into a session's scene. */
export interface Load {
  id: string;
  uri: string;
  /** "fetch", "decode" or "prepare". */
  stage: string;
  /** 0..1. */
  done: number;
  state: "running" | "done" | "failed";
  error?: { code: string; message: string } | string | null;
  triangles?: number;
}

export type ConversionStatus = "NotStarted" | "Running" | "Succeeded" | "Failed";

/** Where a model is, and where its asset goes, as the REST contract shows it. */
export interface ConversionSettings {
  inputLocation: {
    /** Azure Blob, S3, GCS or a folder of the service: `https://…`, `s3://…`, `gs://…`, `file:///…`. */
    storageContainerUri: string;
    relativeInputAssetPath: string;
    blobPrefix?: string;
    /** Sent, never returned. */
    storageContainerReadListSas?: string;
  };
  outputLocation: {
    storageContainerUri: string;
    blobPrefix?: string;
    outputAssetFilename?: string;
    storageContainerWriteSas?: string;
  };
}

/** A conversion of a source model into an asset. */
export interface Conversion {
  id: string;
  /** RFC 3339. */
  creationTime: string;
  settings: ConversionSettings;
  status: ConversionStatus;
  /** When Succeeded. */
  output?: { outputAssetUri: string };
  /** When Failed. */
  error: { code: string; message: string } | null;
}

/** How far a conversion is. */
export interface ConversionProgress {
  status: ConversionStatus;
  /** What is being done, in a word. */
  stage: string;
  /** Of the whole, 0..1, estimated. */
  done: number;
  /** While it waits: how many come before it. */
  ahead?: number;
  attempt: number;
  elapsedSeconds: number;
}

/** How the caller proves who it is: an account key, or an access token (of an account or of one session). */
export type Credential = { accountKey: string } | { token: string };

export interface RestOptions {
  /** Origin (and path prefix) of the control plane, e.g. "https://localhost:8443". */
  endpoint: string;
  /** Origin of the token service; the endpoint serves it too. */
  sts?: string;
  account: string;
  credential: Credential;
  /** For tests. */
  fetch?: typeof fetch;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** How often a request that may be repeated is sent at most; 4 if absent. */
  attempts?: number;
}

const apiVersion = "2021-01-01";
/** A token is renewed this long before it expires, so that no request races with its end. */
const renewBeforeMs = 5 * 60_000;
const maxAttempts = 4;

interface Request extends CallOptions {
  method?: string;
  query?: Record<string, string>;
  body?: unknown;
  /** Sent as it is, e.g. an SDP offer. */
  rawBody?: { type: string; text: string };
  /** May be sent again after a failure on the way. */
  repeatable?: boolean;
  keepalive?: boolean;
}

/** The terminal states, in which a session is over for good. */
export function isTerminal(status: SessionStatus): boolean {
  return status !== "Starting" && status !== "Ready";
}

/**
 * The REST side of one account: token service, sessions, and what the control plane relays to their workers. Requests
 * that may be repeated are, after 429 and 503 as `Retry-After` says and after network failures.
 */
export class RestClient {
  readonly endpoint: string;
  readonly account: string;
  readonly #sts: string;
  readonly #credential: Credential;
  readonly #fetch: typeof fetch;
  #token: { value: string; expires: number } | undefined;
  #tokenRequest: Promise<string> | undefined;

  constructor(options: RestOptions) {
    this.endpoint = options.endpoint.replace(/\/+$/, "");
    this.#sts = (options.sts ?? options.endpoint).replace(/\/+$/, "");
    this.account = options.account;
    this.#credential = options.credential;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init)); // a bare reference would lose its `this`
  }

  /** A valid access token: the given one, or one fetched with the account key and kept until shortly before its end. */
  async token(options: CallOptions = {}): Promise<string> {
    if ("token" in this.#credential) return this.#credential.token;
    if (this.#token && Date.now() < this.#token.expires - renewBeforeMs) return this.#token.value;
    // One request serves all who wait for it; it is not bound to the signal of the first.
    this.#tokenRequest ??= this.#fetchToken(this.#credential.accountKey).finally(() => (this.#tokenRequest = undefined));
    const token = await this.#tokenRequest;
    options.signal?.throwIfAborted();
    return token;
  }

  /** All sessions that are Starting or Ready. */
  async list(options: CallOptions = {}): Promise<Session[]> {
    return this.#pages<Session>("sessions", options);
  }

  async get(id: string, options: CallOptions = {}): Promise<Session> {
    return this.#json(this.sessionUrl(id), { ...options, repeatable: true });
  }

  /** Creates a session, or returns the one that exists with the same settings. */
  async create(id: string, settings: SessionSettings, options: CallOptions = {}): Promise<Session> {
    return this.#json(this.sessionUrl(id), { ...options, method: "PUT", body: settings, repeatable: true });
  }

  /** Sets the total lease, which must be longer than the present one. */
  async extend(id: string, maxLeaseTimeMinutes: number, options: CallOptions = {}): Promise<Session> {
    return this.#json(this.sessionUrl(id), { ...options, method: "PATCH", body: { maxLeaseTimeMinutes }, repeatable: true });
  }

  async stop(id: string, options: CallOptions = {}): Promise<void> {
    await this.request(`${this.sessionUrl(id)}/:stop`, { ...options, method: "POST", repeatable: true });
  }

  async viewerToken(id: string, options: CallOptions = {}): Promise<ViewerToken> {
    return this.#json(`${this.sessionUrl(id)}/viewer-token`, { ...options, method: "POST", repeatable: true });
  }

  /** The last lines of the worker's log. */
  async log(id: string, tail: number, options: CallOptions = {}): Promise<string> {
    const response = await this.request(`${this.sessionUrl(id)}/log`, { ...options, query: { tail: String(tail) }, repeatable: true });
    return response.text();
  }

  /** Starts loading a model into the session's scene; loadStatus tells how far it is. */
  async load(id: string, uri: string, options: CallOptions = {}): Promise<string> {
    const { id: load } = await this.#json<{ id: string }>(`${this.sessionUrl(id)}/inspector/load`, {
      ...options,
      method: "POST",
      body: { uri },
    });
    return load;
  }

  async loadStatus(id: string, load: string, options: CallOptions = {}): Promise<Load> {
    return this.#json(`${this.sessionUrl(id)}/inspector/loads/${encodeURIComponent(load)}`, { ...options, repeatable: true });
  }

  /** The session once it is Ready; an error of reason "ended" when it ends before. */
  async waitReady(id: string, options: CallOptions = {}): Promise<Session> {
    for (let pause = 60; ; pause = Math.min(pause * 1.5, 2000)) {
      const session = await this.get(id, options);
      if (session.status === "Ready") return session;
      if (isTerminal(session.status)) {
        throw new HeliographError("ended", session.error?.message ?? `The session is ${session.status}.`, { code: session.error?.code });
      }
      await sleep(pause, options.signal);
    }
  }

  /** All conversions of the account, oldest first. */
  async listConversions(options: CallOptions = {}): Promise<Conversion[]> {
    return this.#pages<Conversion>("conversions", options);
  }

  async getConversion(id: string, options: CallOptions = {}): Promise<Conversion> {
    return this.#json(this.conversionUrl(id), { ...options, repeatable: true });
  }

  /** Starts a conversion, or returns the one that exists with the same settings. */
  async createConversion(id: string, settings: ConversionSettings, options: CallOptions = {}): Promise<Conversion> {
    return this.#json(this.conversionUrl(id), { ...options, method: "PUT", body: { settings }, repeatable: true });
  }

  async conversionProgress(id: string, options: CallOptions = {}): Promise<ConversionProgress> {
    return this.#json(`${this.conversionUrl(id)}/progress`, { ...options, repeatable: true });
  }

  /** The last lines of what the conversion says. */
  async conversionLog(id: string, tail: number, options: CallOptions = {}): Promise<string> {
    const response = await this.request(`${this.conversionUrl(id)}/log`, { ...options, query: { tail: String(tail) }, repeatable: true });
    return response.text();
  }

  /** Ends a conversion that waits or runs; it is Failed then. */
  async cancelConversion(id: string, options: CallOptions = {}): Promise<void> {
    await this.request(`${this.conversionUrl(id)}/:cancel`, { ...options, method: "POST", repeatable: true });
  }

  /** Forgets a conversion that has ended. What it made stays in its container. */
  async deleteConversion(id: string, options: CallOptions = {}): Promise<void> {
    await this.request(this.conversionUrl(id), { ...options, method: "DELETE", repeatable: true });
  }

  conversionUrl(id: string): string {
    return `${this.#accountUrl()}/conversions/${encodeURIComponent(id)}`;
  }

  sessionUrl(id: string): string {
    return `${this.#accountUrl()}/sessions/${encodeURIComponent(id)}`;
  }

  /** Sends an authorised request to a URL of the control plane; throws HeliographError unless the answer is 2xx. */
  async request(url: string, request: Request = {}): Promise<Response> {
    const target = new URL(url, globalThis.location?.href);
    target.searchParams.set("api-version", apiVersion);
    for (const [name, value] of Object.entries(request.query ?? {})) target.searchParams.set(name, value);
    return this.#send(target.href, request);
  }

  /** Everything of a collection, page by page. */
  async #pages<T>(collection: "sessions" | "conversions", options: CallOptions): Promise<T[]> {
    const all: T[] = [];
    let next: string | undefined = `${this.#accountUrl()}/${collection}?api-version=${apiVersion}`;
    while (next !== undefined) {
      const response: Response = await this.#send(next, { ...options, repeatable: true });
      const page = (await response.json()) as { [key in typeof collection]?: T[] } & { "@nextLink"?: string };
      all.push(...(page[collection] ?? []));
      next = page["@nextLink"];
    }
    return all;
  }

  async #json<T>(url: string, request: Request): Promise<T> {
    const response = await this.request(url, request);
    try {
      return (await response.json()) as T;
    } catch (error) {
      throw HeliographError.from(error, "server", "The server's answer is not JSON.");
    }
  }

  async #send(url: string, request: Request): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${await this.token(request)}` };
    let body: string | undefined;
    if (request.rawBody) {
      headers["Content-Type"] = request.rawBody.type;
      body = request.rawBody.text;
    } else if (request.body !== undefined) {
      headers["Content-Type"] = "application/json";
      body = JSON.stringify(request.body);
    }
    const init: RequestInit = { method: request.method ?? "GET", headers, cache: "no-store" };
    if (body !== undefined) init.body = body;
    if (request.signal) init.signal = request.signal;
    if (request.keepalive) init.keepalive = true;
    return this.#attempt(url, init, request);
  }

  async #attempt(url: string, init: RequestInit, request: Request): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      let failure: HeliographError;
      try {
        const response = await this.#fetch(url, init);
        if (response.ok) return response;
        failure = await HeliographError.fromResponse(response);
        if (failure.status === 401) this.#token = undefined;
      } catch (error) {
        failure = HeliographError.from(error, "network", "The server cannot be reached.");
      }
      const again = request.repeatable && ["network", "rate-limited", "not-ready"].includes(failure.reason);
      if (!again || attempt >= (request.attempts ?? maxAttempts)) throw failure;
      await sleep(Math.min(failure.retryAfterMs ?? 200 * 2 ** attempt, 15_000), request.signal);
    }
  }

  async #fetchToken(accountKey: string): Promise<string> {
    const url = `${this.#sts}/Accounts/${encodeURIComponent(this.account)}/token`;
    const headers = { Authorization: `Bearer ${this.account}:${accountKey}`, Accept: "application/json" };
    const response = await this.#attempt(url, { headers, cache: "no-store" }, { repeatable: true }).catch((error: unknown) => {
      if (error instanceof HeliographError && error.reason === "unauthorized") {
        throw new HeliographError("unauthorized", "The account id or the account key is wrong.", { cause: error, status: error.status });
      }
      throw error;
    });
    const { AccessToken: value } = (await response.json()) as { AccessToken: string };
    this.#token = { value, expires: tokenExpiry(value) };
    return value;
  }

  #accountUrl(): string {
    return `${this.endpoint}/accounts/${encodeURIComponent(this.account)}`;
  }
}

/** The `exp` claim of a JWT in milliseconds; 0 (already over) when there is none. */
export function tokenExpiry(jwt: string): number {
  try {
    const payload = (jwt.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const claims = JSON.parse(atob(payload)) as { exp?: number };
    return (claims.exp ?? 0) * 1000;
  } catch {
    return 0;
  }
}
