import { Emitter } from "./emitter.ts";
import { HeliographError, type ErrorReason } from "./errors.ts";
import { LatencyTracker, type ShownFrame } from "./latency.ts";
import type {
  ClientBody,
  LeaseInfo,
  LoadProgress,
  ModelLoaded,
  PickResult,
  Pose,
  Quat,
  SceneInfo,
  ServerBody,
  ServerMessage,
  Vec3,
  Welcome,
} from "./messages.ts";
import { openWebRtcPeer, type OpenPeer, type Peer } from "./peer.ts";
import { PoseSender } from "./pose-sender.ts";
import { Backoff, type ReconnectPolicy } from "./reconnect.ts";
import { isTerminal, RestClient, type Session } from "./rest.ts";
import { SceneChannel } from "./scene-channel.ts";
import { StatsCollector, type StreamStats } from "./stats.ts";
import { sleep } from "./time.ts";
import { WhepClient } from "./whep.ts";

/** Why a session is over. */
export type EndReason = "stopped" | "expired" | "error" | "unknown";

/**
 * - `idle`: not started, or disposed
 * - `connecting`: the session is starting, or the connection is being set up
 * - `connected`: frames and edits flow
 * - `reconnecting`: the connection was lost and is tried again; `nextAttemptAt` on the clock of Date.now()
 * - `ended`: the session is over for good
 * - `failed`: given up; connect() tries again
 */
export type StreamState =
  | { name: "idle" }
  | { name: "connecting"; phase: "starting" | "signalling" }
  | { name: "connected" }
  | { name: "reconnecting"; attempt: number; nextAttemptAt: number; error: HeliographError }
  | { name: "ended"; reason: EndReason; message: string }
  | { name: "failed"; error: HeliographError };

export interface StreamEvents {
  state: StreamState;
  /** The video of a new connection. */
  media: MediaStream;
  /** That video is about to end: the last moment to keep its picture. */
  release: MediaStream;
  welcome: Welcome;
  scene: SceneInfo;
  progress: LoadProgress;
  model: ModelLoaded;
  /** The picture size that the worker chose, in pixels. */
  viewport: { width: number; height: number };
  lease: LeaseInfo;
  /** Something failed that this viewer had not asked for, such as a load by the REST API. */
  problem: HeliographError;
  frame: ShownFrame;
  /** Once a second while connected. */
  stats: StreamStats;
}

export interface StreamOptions {
  rest: RestClient;
  session: string;
  reconnect?: ReconnectPolicy;
  /** For tests. */
  openPeer?: OpenPeer;
}

const statsEveryMs = 1000;
/** A session that is starting is asked for at growing intervals. */
const startingPollMs = { first: 40, last: 1000 };
/** The viewer that was here before, a reloaded page for example, may need this long to leave. */
const busyGraceMs = 1500;
/** What another attempt would not change. */
const final: ReadonlySet<ErrorReason> = new Set(["unauthorized", "not-found", "invalid", "replaced", "worker"]);

/**
 * A viewer's connection to one session, over as many WebRTC connections as it takes: it waits for the session to become
 * ready, comes back after losses, and knows when the session is over. The newest pose and viewport are restored on every
 * connection; the scene lives in the worker.
 */
export class Stream extends Emitter<StreamEvents> {
  readonly #rest: RestClient;
  readonly #session: string;
  readonly #policy: ReconnectPolicy;
  readonly #openPeer: OpenPeer;
  readonly #poses: PoseSender;
  readonly #scene = new SceneChannel();
  readonly #latency = new LatencyTracker();
  readonly #stats = new StatsCollector();
  #state: StreamState = { name: "idle" };
  #run: AbortController | undefined;
  #peer: Peer | undefined;
  #viewport: { width: number; height: number } | undefined;
  #end: { reason: EndReason; message: string } | undefined;

  constructor(options: StreamOptions) {
    super();
    this.#rest = options.rest;
    this.#session = options.session;
    this.#policy = options.reconnect ?? new Backoff();
    const whep = new WhepClient(options.rest, options.session);
    this.#openPeer = options.openPeer ?? ((handlers, peer) => openWebRtcPeer(whep, handlers, peer));
    this.#poses = new PoseSender({ onSent: (id, at) => this.#latency.poseSent(id, at) });
  }

  get state(): StreamState {
    return this.#state;
  }

  /**
   * Starts, or starts again after a failure. Progress is told by `state` events. A session has one viewer: with `takeover`
   * another one is replaced, else the stream fails with reason "busy" while there is one.
   */
  connect(options: { takeover?: boolean } = {}): void {
    if (this.#run || this.#state.name === "ended") return;
    const run = new AbortController();
    this.#run = run;
    void this.#loop(options.takeover ?? false, run.signal).finally(() => {
      if (this.#run === run) this.#run = undefined;
    });
  }

  /** Ends the connection (not the session) and removes all listeners. May be called any number of times. */
  dispose(): void {
    this.#run?.abort();
    this.#run = undefined;
    this.#detach();
    if (this.#state.name !== "idle") this.#setState({ name: "idle" });
    this.removeAllListeners();
  }

  /** The camera. Only the newest counts. */
  setPose(pose: Pose): void {
    this.#poses.set(pose);
  }

  /** Asks for a picture size in pixels, now and on later connections; a `viewport` event tells what the worker chose. */
  setViewport(width: number, height: number): void {
    this.#viewport = { width, height };
    if (this.#peer) this.#sendViewport();
  }

  /** Loads "builtin://…", a path of a configured root, or an https URL of a configured host. */
  async load(uri: string): Promise<ModelLoaded> {
    return expect(await this.#request({ case: "loadModel", value: { uri } }), "modelLoaded");
  }

  async unload(modelId: number): Promise<void> {
    await this.#request({ case: "unloadModel", value: { modelId } });
  }

  /** What is at a point of the picture: 0..1 from the left, 0..1 from the top. Entity 0 = nothing. */
  async pick(x: number, y: number): Promise<PickResult> {
    return expect(await this.#request({ case: "pick", value: { x, y } }), "pickResult");
  }

  /** Replaces an entity's local transform. */
  async setTransform(entityId: number, position: Vec3, rotation: Quat, scale: Vec3): Promise<void> {
    await this.#request({ case: "setTransform", value: { entityId, position, rotation, scale } });
  }

  async setEnabled(entityId: number, enabled: boolean): Promise<void> {
    await this.#request({ case: "setEnabled", value: { entityId, enabled } });
  }

  /**
   * The frame with this RTP timestamp reaches the screen at `visibleAt` (performance.now()). Called by whoever shows the
   * video: attachVideo does.
   */
  frameShown(rtpTimestamp: number | undefined, visibleAt: number): void {
    const shown = rtpTimestamp === undefined ? undefined : this.#latency.frameShown(rtpTimestamp, visibleAt);
    this.#stats.frameShown(performance.now(), shown);
    if (shown) this.emit("frame", shown);
  }

  /** Leaves the poses on their way out of the latency: the page was hidden, and browsers show no frames of hidden pages. */
  skipLatency(): void {
    this.#latency.forgetPoses();
  }

  async #loop(takeover: boolean, signal: AbortSignal): Promise<void> {
    let lostAt = 0; // when the trouble began; 0 = no trouble
    let attempt = 0;
    for (;;) {
      let error: HeliographError;
      try {
        if (attempt === 0) this.#setState({ name: "connecting", phase: "signalling" });
        const { lost } = await this.#connectOnce(takeover, signal);
        lostAt = attempt = 0;
        takeover = false; // two viewers that take over from each other without being asked would never end
        this.#setState({ name: "connected" });
        error = await lost;
      } catch (thrown) {
        error = HeliographError.from(thrown, "server", "The connection could not be set up.");
      }
      this.#detach({ farewell: saidGoodbye(error) });
      if (signal.aborted) return;
      lostAt ||= Date.now();
      const verdict = await this.#judge(error, Date.now() - lostAt, signal);
      if (signal.aborted) return;
      if (verdict !== "retry") {
        this.#setState(verdict);
        return;
      }
      const delay = this.#policy.nextDelay(++attempt, Date.now() - lostAt);
      if (delay === undefined) {
        this.#setState({ name: "failed", error });
        return;
      }
      const pause = error.retryAfterMs ?? delay;
      this.#setState({ name: "reconnecting", attempt, nextAttemptAt: Date.now() + pause, error });
      await sleep(pause, signal).catch(() => {});
      if (signal.aborted) return;
    }
  }

  /** Resolves when connected; `lost` then resolves with the error that ends the connection. */
  async #connectOnce(takeover: boolean, signal: AbortSignal): Promise<{ lost: Promise<HeliographError> }> {
    let lose: (error: HeliographError) => void = () => {};
    const lost = new Promise<HeliographError>((resolve) => (lose = resolve));
    this.#latency.reset();
    this.#stats.reset();
    const ready = this.#whenReady(signal);
    ready.catch(() => {}); // the peer may fail before it comes to wait for this
    const peer = await this.#openPeer(
      {
        frameRecord: (record) => {
          this.#latency.recordArrived(record);
          this.#stats.frameRecord(record, performance.now());
          this.#poses.acknowledge(record.poseId);
        },
        serverMessage: (message) => this.#handle(message, lose),
        lost: (error) => lose(error),
      },
      { takeover, ready, signal },
    );
    this.#peer = peer;
    signal.addEventListener("abort", () => lose(new HeliographError("aborted", "The connection was closed.")), { once: true });
    this.emit("media", peer.media);
    this.#scene.attach((data) => peer.sendScene(data));
    this.#sendViewport();
    this.#poses.attach(peer.pose);
    void this.#reportStats(peer, signal);
    return { lost };
  }

  #detach(options: { farewell?: boolean } = {}): void {
    const peer = this.#peer;
    if (peer) this.emit("release", peer.media);
    this.#peer = undefined;
    this.#poses.attach(undefined);
    this.#scene.attach(undefined);
    peer?.close(options);
  }

  /** Waits while the session is starting; rejects when it is over. */
  async #whenReady(signal: AbortSignal): Promise<void> {
    for (let pause = startingPollMs.first; ; pause = Math.min(pause * 1.5, startingPollMs.last)) {
      let session: Session;
      try {
        session = await this.#rest.get(this.#session, { signal, attempts: 1 });
      } catch {
        return; // what the worker's relay answers to the offer decides
      }
      if (session.status === "Ready") break;
      if (isTerminal(session.status)) {
        this.#end = endOf(session);
        throw new HeliographError("ended", "The session has ended.");
      }
      if (this.#state.name !== "connecting" || this.#state.phase !== "starting") this.#setState({ name: "connecting", phase: "starting" });
      await sleep(pause, signal);
    }
    if (this.#state.name === "connecting" && this.#state.phase === "starting") this.#setState({ name: "connecting", phase: "signalling" });
  }

  /** What a failure means: try again, or the state to end in. The REST API knows whether the session still lives. */
  async #judge(error: HeliographError, troubleMs: number, signal: AbortSignal): Promise<"retry" | StreamState> {
    if (this.#end) return { name: "ended", ...this.#end };
    if (error.reason === "unsupported" || error.reason === "aborted") return { name: "failed", error };
    if (error.reason === "busy" && troubleMs > busyGraceMs) return { name: "failed", error };
    let session: Session | undefined;
    try {
      session = await this.#rest.get(this.#session, { signal, attempts: 1 });
    } catch (failure) {
      // A viewer's token may not be allowed to ask; then what the worker's relay answered decides.
      const reason = HeliographError.from(failure, "server", "").reason;
      if (reason === "not-found") return { name: "failed", error: HeliographError.from(failure, "not-found", "") };
    }
    if (session && isTerminal(session.status)) return { name: "ended", ...endOf(session) };
    if (error.reason === "ended") return { name: "ended", reason: "unknown", message: error.message };
    return final.has(error.reason) ? { name: "failed", error } : "retry";
  }

  #handle(message: ServerMessage, lose: (error: HeliographError) => void): void {
    this.#scene.handle(message);
    const { body } = message;
    switch (body.case) {
      case "welcome":
        this.emit("welcome", body.value);
        if (body.value.scene) this.emit("scene", body.value.scene);
        break;
      case "sceneInfo":
        this.emit("scene", body.value);
        break;
      case "loadProgress":
        this.emit("progress", body.value);
        break;
      case "modelLoaded":
        this.emit("model", body.value);
        break;
      case "viewport":
        this.emit("viewport", body.value);
        break;
      case "leaseInfo":
        this.emit("lease", body.value);
        break;
      case "ended":
        lose(this.#endedBy(body.value.reason, body.value.message || "The session has ended."));
        break;
      case "error":
        if (message.requestId === 0) this.emit("problem", new HeliographError("invalid", body.value.message, { code: body.value.code }));
        break;
    }
  }

  /** The worker's last word: the session is over, or only this connection is. */
  #endedBy(reason: string, message: string): HeliographError {
    if (reason === "replaced") return new HeliographError("replaced", message);
    if (reason !== "stopped" && reason !== "expired") return new HeliographError("worker", message);
    this.#end = { reason, message };
    return new HeliographError("ended", message);
  }

  #sendViewport(): void {
    if (this.#viewport) {
      this.#request({ case: "setViewport", value: this.#viewport }).catch(() => {}); // sent again on the next connection
    }
  }

  #request(body: ClientBody): Promise<ServerBody> {
    return this.#scene.request(body);
  }

  async #reportStats(peer: Peer, signal: AbortSignal): Promise<void> {
    while (this.#peer === peer && !signal.aborted) {
      const report = await peer.stats().catch(() => undefined);
      if (this.#peer === peer) this.emit("stats", this.#stats.snapshot(report, performance.now()));
      await sleep(statsEveryMs, signal).catch(() => {});
    }
  }

  #setState(state: StreamState): void {
    this.#state = state;
    this.emit("state", state);
  }
}

/** The worker ended the connection and said why. */
function saidGoodbye(error: HeliographError): boolean {
  return error.reason === "ended" || error.reason === "replaced" || error.reason === "worker";
}

/** What the answer `name` carries. */
type Answer<C> = ServerBody extends infer B ? (B extends { case: C; value: infer V } ? V : never) : never;

function expect<C extends NonNullable<ServerBody["case"]>>(body: ServerBody, name: C): Answer<C> {
  if (body.case !== name) throw new HeliographError("server", `The worker answered ${body.case ?? "nothing known"} where ${name} was due.`);
  return body.value as Answer<C>;
}

function endReason(reason: string): EndReason {
  return reason === "stopped" || reason === "expired" || reason === "error" ? reason : "unknown";
}

function endOf(session: Session): { reason: EndReason; message: string } {
  return { reason: endReason(session.status.toLowerCase()), message: session.error?.message ?? "" };
}
