import type { FrameRecord } from "./messages.ts";

/** A frame that was shown, with what the worker said about it. */
export interface ShownFrame {
  record: FrameRecord;
  /** When the frame was handed to the compositor, on the clock of performance.now(). */
  presentedAt: number;
  /** Milliseconds from sending to this frame, one per pose that is first answered by it. */
  latencies: number[];
}

const keptPoses = 512;
const keptRecords = 256;

/**
 * Joins poses, frame records and shown frames into the pose-to-photon latency: from the moment a pose is sent until the
 * first frame that was drawn with it, or with a newer one, is shown. A pose that the worker skipped for a newer one counts
 * with that one's frame: its user waited that long.
 */
export class LatencyTracker {
  readonly #sent: { id: number; at: number }[] = []; // ascending ids, those not answered yet
  readonly #records = new Map<number, FrameRecord>(); // by RTP timestamp, oldest first
  #newestPoseShown = 0;

  /** Pose `id` left at time `at`. Ids grow. */
  poseSent(id: number, at: number): void {
    this.#sent.push({ id, at });
    if (this.#sent.length > keptPoses) this.#sent.shift();
  }

  recordArrived(record: FrameRecord): void {
    this.#records.set(record.rtpTimestamp, record);
    if (this.#records.size > keptRecords) {
      for (const oldest of this.#records.keys()) {
        this.#records.delete(oldest);
        break;
      }
    }
  }

  /** The frame with this RTP timestamp was shown. Undefined when its record was lost or has not arrived. */
  frameShown(rtpTimestamp: number, presentedAt: number): ShownFrame | undefined {
    const record = this.#records.get(rtpTimestamp);
    if (!record) return undefined;
    this.#records.delete(rtpTimestamp);
    const latencies: number[] = [];
    if (record.poseId > this.#newestPoseShown) {
      this.#newestPoseShown = record.poseId;
      while (this.#sent.length > 0 && this.#sent[0]!.id <= record.poseId) {
        latencies.push(presentedAt - this.#sent.shift()!.at);
      }
    }
    return { record, presentedAt, latencies };
  }

  /** The poses on their way cannot be timed: nothing was shown for a while that had nothing to do with the stream. */
  forgetPoses(): void {
    this.#sent.length = 0;
  }

  /** A new connection counts poses from 1 again. */
  reset(): void {
    this.#sent.length = 0;
    this.#records.clear();
    this.#newestPoseShown = 0;
  }
}

/** Samples of the last `spanMs` milliseconds. */
export class Window {
  readonly #span: number;
  readonly #samples: { at: number; value: number }[] = [];

  constructor(spanMs: number) {
    this.#span = spanMs;
  }

  add(at: number, value: number): void {
    this.#samples.push({ at, value });
    this.#trim(at);
  }

  /** The values that are not older than the span at time `now`. */
  values(now: number): number[] {
    this.#trim(now);
    return this.#samples.map((s) => s.value);
  }

  clear(): void {
    this.#samples.length = 0;
  }

  #trim(now: number): void {
    const first = this.#samples.findIndex((s) => s.at >= now - this.#span);
    this.#samples.splice(0, first < 0 ? this.#samples.length : first);
  }
}

/** The p-quantile (0..1) by the nearest-rank method; undefined without values. */
export function percentile(values: readonly number[], p: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
}

export function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0) / values.length;
}
