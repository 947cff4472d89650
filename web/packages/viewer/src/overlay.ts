import type { StreamStats } from "@heliograph/client";
import { el } from "./dom.ts";
import { bitrate, count, duration, milliseconds } from "./format.ts";

/** What the overlay shows beside the stream's numbers. */
export interface OverlayFacts {
  sceneTriangles?: bigint;
  renderer?: string;
  codec?: string;
  leaseEndsAt?: number; // Date.now() clock
}

const rows = {
  fps: "Frames per second",
  latency: "Pose to photon, p50 / p95",
  bitrate: "Bitrate",
  roundTrip: "Network round trip",
  resolution: "Resolution",
  triangles: "Triangles drawn / scene",
  stages: "Wait · render · encode · queue",
  codec: "Codec",
  renderer: "Renderer",
  lease: "Lease left",
} as const;

/** The panel of numbers. */
export class Overlay {
  readonly element: HTMLElement;
  readonly #values = new Map<keyof typeof rows, HTMLElement>();

  constructor() {
    const list = el("dl");
    for (const [name, label] of Object.entries(rows)) {
      const value = el("dd", { "data-stat": name }, "–");
      this.#values.set(name as keyof typeof rows, value);
      list.append(el("dt", {}, label), value);
    }
    this.element = el("div", { class: "overlay glass", role: "group", "aria-label": "Stream statistics", hidden: true }, list);
  }

  get visible(): boolean {
    return !this.element.hidden;
  }

  toggle(): void {
    this.element.hidden = !this.element.hidden;
  }

  update(stats: StreamStats | undefined, facts: OverlayFacts): void {
    const frame = stats?.frame;
    const stages = stats?.stages;
    this.#set("fps", !stats ? "–" : stats.fps === 0 && frame?.converged ? "0 (still)" : String(stats.fps));
    this.#set(
      "latency",
      stats?.latencyP50 === undefined || stats.latencyP95 === undefined
        ? "– (move the view)"
        : `${stats.latencyP50.toFixed(1)} / ${milliseconds(stats.latencyP95)}`,
    );
    this.#set("bitrate", bitrate(stats?.bitrate));
    this.#set("roundTrip", milliseconds(stats?.roundTrip));
    this.#set("resolution", frame ? `${frame.width} × ${frame.height}` : "–");
    this.#set("triangles", frame ? `${count(frame.trianglesDrawn)} / ${count(facts.sceneTriangles ?? 0)}` : "–");
    this.#set(
      "stages",
      stages ? [stages.poseWait, stages.render, stages.encode, stages.queue].map((ms) => ms.toFixed(1)).join(" · ") + " ms" : "–",
    );
    this.#set("codec", stats?.codec ?? facts.codec ?? "–");
    this.#set("renderer", facts.renderer ?? "–");
    this.#set("lease", facts.leaseEndsAt === undefined ? "–" : duration((facts.leaseEndsAt - Date.now()) / 1000));
  }

  #set(name: keyof typeof rows, text: string): void {
    const value = this.#values.get(name);
    if (value && value.textContent !== text) value.textContent = text;
  }
}
