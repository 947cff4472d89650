import type { Vec3 } from "@heliograph/client";
import { interpolate, type OrbitCamera, type View } from "./camera.ts";

export interface MotionOptions {
  /** The camera has moved. */
  onChange: () => void;
  /** Calls back with the time of the next animation frame in milliseconds. */
  nextFrame: (callback: (now: number) => void) => void;
  /** People who asked for less motion get jumps instead of flights and no coasting. */
  reduced: () => boolean;
}

const flightMs = 350;
/** Time constants of the exponential approach. */
const zoomTauMs = 50;
const coastTauMs = 140;
/** Radians per millisecond below which coasting is not worth frames. */
const minCoast = 1e-4;

/** Everything that moves a camera over time: flights to a view, smoothed zoom, coasting after a drag, held keys. */
export class Motion {
  readonly #camera: OrbitCamera;
  readonly #options: MotionOptions;
  #running = false;
  #last = 0;
  #flight: { from: View; to: View; start: number } | undefined;
  #zoom = 0; // the logarithm of the factor that is still to come
  #fixed: Vec3 | undefined;
  #coast = { yaw: 0, pitch: 0 };
  #held: ((ms: number) => void) | undefined;

  constructor(camera: OrbitCamera, options: MotionOptions) {
    this.#camera = camera;
    this.#options = options;
  }

  flyTo(to: View): void {
    this.stop();
    if (this.#options.reduced()) {
      this.#camera.view = to;
      this.#options.onChange();
      return;
    }
    this.#flight = { from: this.#camera.view, to, start: NaN };
    this.#run();
  }

  /** Zooms by exp(amount), smoothly. */
  zoomBy(amount: number): void {
    this.#flight = undefined;
    this.#zoom += amount;
    this.#run();
  }

  /** The point that zooming leaves in place on the screen; undefined for the pivot. */
  zoomAbout(fixed: Vec3 | undefined): void {
    this.#fixed = fixed;
  }

  /** Goes on turning at this speed (radians per millisecond), slowing down. */
  coast(yaw: number, pitch: number): void {
    if (this.#options.reduced() || Math.hypot(yaw, pitch) < minCoast) return;
    this.#coast = { yaw, pitch };
    this.#run();
  }

  /** Calls `step` with the milliseconds passed, every frame, until hold(undefined). */
  hold(step: ((ms: number) => void) | undefined): void {
    this.#held = step;
    if (step) {
      this.#flight = undefined;
      this.#run();
    }
  }

  /** Ends flights, coasting and zooming: the user has taken hold of the camera. */
  stop(): void {
    this.#flight = undefined;
    this.#zoom = 0;
    this.#coast = { yaw: 0, pitch: 0 };
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    this.#last = NaN;
    this.#options.nextFrame((now) => this.#frame(now));
  }

  #frame(now: number): void {
    const ms = Number.isNaN(this.#last) ? 16 : Math.min(now - this.#last, 100);
    this.#last = now;
    this.#step(now, ms);
    this.#options.onChange();
    const active = this.#flight || this.#zoom !== 0 || this.#coast.yaw !== 0 || this.#coast.pitch !== 0 || this.#held;
    if (active) this.#options.nextFrame((next) => this.#frame(next));
    else this.#running = false;
  }

  #step(now: number, ms: number): void {
    if (this.#flight) {
      if (Number.isNaN(this.#flight.start)) this.#flight.start = now - ms;
      const t = Math.min((now - this.#flight.start) / flightMs, 1);
      this.#camera.view = interpolate(this.#flight.from, this.#flight.to, 1 - (1 - t) ** 3);
      if (t === 1) this.#flight = undefined;
    }
    if (this.#zoom !== 0) {
      const part = Math.abs(this.#zoom) < 1e-3 ? this.#zoom : this.#zoom * (1 - Math.exp(-ms / zoomTauMs));
      this.#camera.zoom(Math.exp(part), this.#fixed);
      this.#zoom -= part;
    }
    const { yaw, pitch } = this.#coast;
    if (yaw !== 0 || pitch !== 0) {
      this.#camera.orbit(yaw * ms, pitch * ms);
      const decay = Math.exp(-ms / coastTauMs);
      this.#coast = Math.hypot(yaw, pitch) * decay < minCoast ? { yaw: 0, pitch: 0 } : { yaw: yaw * decay, pitch: pitch * decay };
    }
    this.#held?.(ms);
  }
}
