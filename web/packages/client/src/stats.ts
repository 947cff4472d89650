import { mean, percentile, Window, type ShownFrame } from "./latency.ts";
import type { FrameRecord } from "./messages.ts";

/** Numbers of the last seconds; undefined = not known (yet). Times in milliseconds. */
export interface StreamStats {
  /** Frames shown per second over the last second. A still, converged view needs none. */
  fps: number;
  /** Of the last seconds in which the view moved. */
  latencyP50: number | undefined;
  latencyP95: number | undefined;
  latencySamples: number;
  /** Received video, bits per second. */
  bitrate: number | undefined;
  roundTrip: number | undefined;
  /** "H264" or "VP8". */
  codec: string | undefined;
  packetsLost: number | undefined;
  framesDropped: number | undefined;
  /** The newest frame's record: size, triangles, bitrate target, whether the view is still and converged. */
  frame: FrameRecord | undefined;
  stages: { poseWait: number; render: number; encode: number; queue: number } | undefined;
}

const windowMs = 5000;

/** Collects what StreamStats shows. */
export class StatsCollector {
  readonly #latencies = new Window(windowMs);
  readonly #shown = new Window(1000);
  readonly #stages = {
    poseWait: new Window(windowMs),
    render: new Window(windowMs),
    encode: new Window(windowMs),
    queue: new Window(windowMs),
  };
  #frame: FrameRecord | undefined;
  #latency: { p50: number | undefined; p95: number | undefined } = { p50: undefined, p95: undefined };
  #bytes: { at: number; received: number } | undefined;

  frameRecord(record: FrameRecord, now: number): void {
    this.#frame = record;
    this.#stages.poseWait.add(now, record.poseWaitUs / 1000);
    this.#stages.render.add(now, record.renderUs / 1000);
    this.#stages.encode.add(now, record.encodeUs / 1000);
    this.#stages.queue.add(now, record.queueUs / 1000);
  }

  /** A frame reached the screen; `shown` is undefined when nothing is known about it. */
  frameShown(now: number, shown: ShownFrame | undefined): void {
    this.#shown.add(now, 1);
    for (const latency of shown?.latencies ?? []) this.#latencies.add(now, latency);
  }

  /** A new connection counts its bytes from zero. */
  reset(): void {
    this.#bytes = undefined;
  }

  snapshot(report: RTCStatsReport | undefined, now: number): StreamStats {
    const latencies = this.#latencies.values(now);
    // A view that rests has no new latencies; those that it came to rest with stay of interest.
    if (latencies.length > 0) this.#latency = { p50: percentile(latencies, 0.5), p95: percentile(latencies, 0.95) };
    const render = mean(this.#stages.render.values(now));
    const stats: StreamStats = {
      fps: this.#shown.values(now).length,
      latencyP50: this.#latency.p50,
      latencyP95: this.#latency.p95,
      latencySamples: latencies.length,
      bitrate: undefined,
      roundTrip: undefined,
      codec: undefined,
      packetsLost: undefined,
      framesDropped: undefined,
      frame: this.#frame,
      stages:
        render === undefined
          ? undefined
          : {
              poseWait: mean(this.#stages.poseWait.values(now)) ?? 0,
              render,
              encode: mean(this.#stages.encode.values(now)) ?? 0,
              queue: mean(this.#stages.queue.values(now)) ?? 0,
            },
    };
    for (const entry of report?.values() ?? []) this.#read(entry as Record<string, unknown>, report!, stats, now);
    return stats;
  }

  #read(entry: Record<string, unknown>, report: RTCStatsReport, stats: StreamStats, now: number): void {
    if (entry.type === "inbound-rtp" && entry.kind === "video") {
      const received = Number(entry.bytesReceived);
      if (this.#bytes && now > this.#bytes.at) stats.bitrate = ((received - this.#bytes.received) * 8000) / (now - this.#bytes.at);
      this.#bytes = { at: now, received };
      stats.packetsLost = Number(entry.packetsLost ?? 0);
      stats.framesDropped = Number(entry.framesDropped ?? 0);
      const codec = report.get(String(entry.codecId)) as { mimeType?: string } | undefined;
      stats.codec = codec?.mimeType?.replace(/^video\//, "");
    } else if (entry.type === "candidate-pair" && entry.nominated === true && entry.currentRoundTripTime !== undefined) {
      stats.roundTrip = Number(entry.currentRoundTripTime) * 1000;
    }
  }
}
