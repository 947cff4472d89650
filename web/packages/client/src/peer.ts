import { HeliographError } from "./errors.ts";
import { decodeFrameRecord, decodeServerMessage, type FrameRecord, type ServerMessage } from "./messages.ts";
import type { PoseChannel } from "./pose-sender.ts";
import type { WhepClient } from "./whep.ts";

/** What a peer reports while it lives. */
export interface PeerHandlers {
  frameRecord(record: FrameRecord): void;
  serverMessage(message: ServerMessage): void;
  /** The connection broke; called at most once, and not after close(). */
  lost(error: HeliographError): void;
}

/** One connection to a worker. */
export interface Peer {
  readonly media: MediaStream;
  readonly pose: PoseChannel;
  sendScene(data: Uint8Array<ArrayBuffer>): void;
  stats(): Promise<RTCStatsReport>;
  /** With `farewell` the worker has ended the connection by itself and need not be told. */
  close(options?: { farewell?: boolean }): void;
}

export interface OpenPeerOptions {
  /** Replace a viewer that is connected. */
  takeover: boolean;
  /** The offer is made at once, but sent when this resolves: a session may still be starting. */
  ready: Promise<void>;
  signal: AbortSignal;
}

export type OpenPeer = (handlers: PeerHandlers, options: OpenPeerOptions) => Promise<Peer>;

/** Candidates of this host come at once; only a slow mDNS or STUN answer can take longer, and is not worth it. */
const gatherMs = 500;
const mediaMs = 10_000;
const unreachable = "The worker's media port cannot be reached from this browser (UDP or TCP).";
/** Firefox gathers no address but those by which a default route goes, and pairs none of them with a loopback address. */
const firefoxNeedsNetwork =
  "Firefox connects by a network's address only, and this machine has none with a default route, or had none when the session started. " +
  "Connect to a network and create a new session, or use Chromium.";
/** "disconnected" may heal by itself; after this it counts as lost. */
const healMs = 2500;

/** Opens a WebRTC connection: three data channels, one video receiver, one WHEP round trip, no trickling. */
export async function openWebRtcPeer(whep: WhepClient, handlers: PeerHandlers, options: OpenPeerOptions): Promise<Peer> {
  const { signal } = options;
  if (typeof RTCPeerConnection === "undefined") throw new HeliographError("unsupported", "This browser has no WebRTC.");
  const peer = new WebRtcPeer(handlers);
  const abort = () => peer.close();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await peer.connect(whep, options);
    signal.throwIfAborted();
    return peer;
  } catch (error) {
    peer.close();
    throw HeliographError.from(error, "media", "The media connection could not be set up.");
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

class WebRtcPeer implements Peer {
  readonly media = new MediaStream();
  readonly pose: RTCDataChannel;
  readonly #scene: RTCDataChannel;
  readonly #pc = new RTCPeerConnection();
  readonly #handlers: PeerHandlers;
  #end: (() => void) | undefined;
  #healTimer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(handlers: PeerHandlers) {
    this.#handlers = handlers;
    const pc = this.#pc;
    const transceiver = pc.addTransceiver("video", { direction: "recvonly" });
    preferCodecs(transceiver);
    minimiseDelay(transceiver.receiver);
    pc.addEventListener("track", ({ track }) => this.media.addTrack(track));

    this.pose = pc.createDataChannel("pose", { ordered: false, maxRetransmits: 0 });
    const frames = pc.createDataChannel("frames", { ordered: false, maxRetransmits: 0 });
    this.#scene = pc.createDataChannel("scene");
    for (const channel of [this.pose, frames, this.#scene]) channel.binaryType = "arraybuffer";
    frames.addEventListener("message", ({ data }) => {
      const record = decodeFrameRecord(data as ArrayBuffer);
      if (record) handlers.frameRecord(record);
    });
    this.#scene.addEventListener("message", ({ data }) => {
      const message = decodeServerMessage(data as ArrayBuffer);
      if (message) handlers.serverMessage(message);
    });
  }

  async connect(whep: WhepClient, { takeover, ready, signal }: OpenPeerOptions): Promise<void> {
    const pc = this.#pc;
    await pc.setLocalDescription(await pc.createOffer());
    await Promise.all([gathered(pc, signal), ready]);
    const answer = await whep.offer(pc.localDescription?.sdp ?? "", takeover, signal);
    if (this.#closed) {
      answer.end();
      return;
    }
    this.#end = answer.end;
    await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    await this.#established(signal);
    pc.addEventListener("connectionstatechange", () => this.#watch());
    for (const channel of [this.pose, this.#scene]) {
      channel.addEventListener("close", () => this.#lose("The worker closed the connection."));
    }
    this.#watch();
  }

  sendScene(data: Uint8Array<ArrayBuffer>): void {
    this.#scene.send(data);
  }

  stats(): Promise<RTCStatsReport> {
    return this.#pc.getStats();
  }

  close({ farewell = false } = {}): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#healTimer);
    if (!farewell) this.#end?.();
    this.#pc.close();
  }

  /** Waits until media and the channels are up. */
  #established(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const listening = new AbortController();
      const settle = (error?: HeliographError) => {
        listening.abort();
        clearTimeout(timer);
        if (error) reject(error);
        else resolve();
      };
      const check = () => {
        if (this.#pc.connectionState === "failed" || this.#pc.connectionState === "closed") settle(this.#unreachable());
        else if (this.pose.readyState === "open" && this.#scene.readyState === "open") settle();
      };
      const timer = setTimeout(() => settle(this.#unreachable()), mediaMs);
      const options = { signal: listening.signal };
      this.#pc.addEventListener("connectionstatechange", check, options);
      this.pose.addEventListener("open", check, options);
      this.#scene.addEventListener("open", check, options);
      signal.addEventListener("abort", () => settle(new HeliographError("aborted", "The operation was aborted.")), options);
      check();
    });
  }

  #unreachable(): HeliographError {
    const { localDescription: offer, remoteDescription: answer } = this.#pc;
    const firefox = navigator.userAgent.includes("Firefox");
    const noNetwork = firefox && isLoopbackOnly(offer?.sdp ?? "", answer?.sdp ?? "");
    return new HeliographError("media", noNetwork ? firefoxNeedsNetwork : unreachable);
  }

  #watch(): void {
    clearTimeout(this.#healTimer);
    switch (this.#pc.connectionState) {
      case "failed":
      case "closed":
        this.#lose("The media connection broke.");
        break;
      case "disconnected":
        this.#healTimer = setTimeout(() => this.#lose("The media connection was silent for too long."), healMs);
        break;
    }
  }

  #lose(message: string): void {
    if (this.#closed) return;
    this.close();
    this.#handlers.lost(new HeliographError("media", message));
  }
}

/** Whether the viewer has no address to connect from but perhaps loopback, or the worker none but loopback to connect to. */
export function isLoopbackOnly(offer: string, answer: string): boolean {
  const loopback = (address: string) => address.startsWith("127.") || address === "::1";
  const worker = candidates(answer);
  return candidates(offer).every(loopback) || (worker.length > 0 && worker.every(loopback));
}

function candidates(sdp: string): string[] {
  return [...sdp.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) /gm)].map((match) => match[1]!);
}

/** H.264 before VP8; only what the worker can send, so that the answer is short. */
function preferCodecs(transceiver: RTCRtpTransceiver): void {
  if (!("setCodecPreferences" in transceiver)) return; // Firefox before 128: the worker chooses from all it offers
  const codecs = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
  const rank = ["video/h264", "video/vp8", "video/rtx"];
  const wanted = codecs
    .filter((c) => rank.includes(c.mimeType.toLowerCase()))
    .sort((a, b) => rank.indexOf(a.mimeType.toLowerCase()) - rank.indexOf(b.mimeType.toLowerCase()));
  if (!wanted.some((c) => c.mimeType.toLowerCase() !== "video/rtx")) {
    throw new HeliographError("unsupported", "This browser can decode neither H.264 nor VP8 over WebRTC.");
  }
  transceiver.setCodecPreferences(wanted);
}

/** Frames are shown as soon as they are decoded. The worker's playout-delay extension says the same per packet. */
function minimiseDelay(receiver: RTCRtpReceiver): void {
  const hinted = receiver as RTCRtpReceiver & { jitterBufferTarget?: number | null; playoutDelayHint?: number | null };
  if ("jitterBufferTarget" in hinted) hinted.jitterBufferTarget = 0;
  if ("playoutDelayHint" in hinted) hinted.playoutDelayHint = 0;
}

function gathered(pc: RTCPeerConnection, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = new AbortController();
    const finish = () => {
      clearTimeout(timer);
      done.abort();
      resolve();
    };
    const timer = setTimeout(finish, gatherMs);
    pc.addEventListener("icegatheringstatechange", () => pc.iceGatheringState === "complete" && finish(), { signal: done.signal });
    signal.addEventListener("abort", finish, { signal: done.signal });
    if (pc.iceGatheringState === "complete") finish();
  });
}
