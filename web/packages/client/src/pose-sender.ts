import { encodePose, type Pose } from "./messages.ts";

/** What a PoseSender needs of an RTCDataChannel. */
export interface PoseChannel {
  readonly readyState: string;
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
}

export interface PoseSenderOptions {
  /** Called after a pose was sent for the first time. */
  onSent: (id: number, at: number) => void;
  now?: () => number;
  /** Calls back at the next animation frame, or a little later where there is none. */
  nextFrame?: (callback: () => void) => void;
}

/** More than a few unsent poses means that the network is stuck; an older pose is worth nothing then. */
const maxBuffered = 2048;
/** A last pose may be lost: it is sent again, under a new id, until a frame shows that it arrived. */
const resendAfterMs = 150;
const maxResends = 8;

/** requestAnimationFrame stands still in a hidden tab, and does not exist outside of a page. */
function defaultNextFrame(callback: () => void): void {
  if (typeof requestAnimationFrame === "function" && !document.hidden) requestAnimationFrame(callback);
  else setTimeout(callback, 16);
}

/** Sends the newest pose, at most one per animation frame, the first one at once. */
export class PoseSender {
  readonly #options: Required<PoseSenderOptions>;
  #channel: PoseChannel | undefined;
  #latest: Pose | undefined;
  #dirty = false;
  #waiting = false;
  #id = 0;
  #acknowledged = 0;
  #resendTimer: ReturnType<typeof setTimeout> | undefined;
  #resends = 0;

  constructor(options: PoseSenderOptions) {
    this.#options = { now: () => performance.now(), nextFrame: defaultNextFrame, ...options };
  }

  /** Uses a new channel: ids start again and the latest pose is sent at once. Undefined disconnects. */
  attach(channel: PoseChannel | undefined): void {
    clearTimeout(this.#resendTimer);
    this.#channel = channel;
    this.#id = 0;
    this.#acknowledged = 0;
    this.#resends = 0;
    this.#dirty = this.#latest !== undefined;
    this.#flush();
  }

  set(pose: Pose): void {
    this.#latest = pose;
    this.#dirty = true;
    this.#resends = 0;
    this.#flush();
  }

  /** The worker drew with pose `id`. */
  acknowledge(id: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, id);
    if (this.#acknowledged === this.#id) clearTimeout(this.#resendTimer);
  }

  #flush(): void {
    const channel = this.#channel;
    if (!this.#dirty || this.#waiting || !this.#latest || channel?.readyState !== "open") return;
    if (channel.bufferedAmount <= maxBuffered) {
      this.#dirty = false;
      const id = ++this.#id;
      channel.send(encodePose(id, this.#latest));
      if (this.#resends === 0) this.#options.onSent(id, this.#options.now());
      this.#scheduleResend();
    }
    this.#waiting = true;
    this.#options.nextFrame(() => {
      this.#waiting = false;
      this.#flush();
    });
  }

  #scheduleResend(): void {
    clearTimeout(this.#resendTimer);
    this.#resendTimer = setTimeout(() => {
      if (this.#acknowledged >= this.#id || !this.#channel || this.#resends >= maxResends) return;
      this.#resends++;
      this.#dirty = true;
      this.#flush();
    }, resendAfterMs);
  }
}
