import type { Vec3 } from "@heliograph/client";
import type { OrbitCamera } from "./camera.ts";
import type { Motion } from "./motion.ts";

export interface ControlsOptions {
  element: HTMLElement;
  camera: OrbitCamera;
  motion: Motion;
  /** The camera has moved by the user's hand. */
  onChange: () => void;
  /** The world point at a position of the picture (0..1), or undefined when there is nothing. */
  pick: (x: number, y: number) => Promise<Vec3 | undefined>;
  frameAll: () => void;
  toggleOverlay: () => void;
}

/** One width of the picture turns the turntable by this much. */
const turnPerWidth = Math.PI;
const zoomPerWheelPixel = 0.0016;
/** A longer pause, or a move of the pointer, begins a new zoom gesture with a pick of its own. */
const gesturePauseMs = 400;
const gestureMovePx = 12;
const keySpeed = { orbit: 1.4e-3, pan: 6e-4, zoom: 1.6e-3 }; // per millisecond

const orbitKeys: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const zoomKeys: Record<string, number> = { "+": -1, "=": -1, "-": 1, _: 1 };

/** Mouse, touch and keyboard of one element, until the signal aborts. */
export class Controls {
  readonly #o: ControlsOptions;
  readonly #pointers = new Map<number, { x: number; y: number }>();
  readonly #keys = new Set<string>();
  #panning = false;
  #speed = { yaw: 0, pitch: 0, at: 0 };
  #wheel = { at: 0, x: 0, y: 0 };

  constructor(options: ControlsOptions, signal: AbortSignal) {
    this.#o = options;
    const { element } = options;
    const on = <K extends keyof HTMLElementEventMap>(type: K, handle: (event: HTMLElementEventMap[K]) => void, passive = true) =>
      element.addEventListener(type, handle, { signal, passive });
    on("pointerdown", (e) => this.#down(e));
    on("pointermove", (e) => this.#move(e));
    on("pointerup", (e) => this.#up(e));
    on("pointercancel", (e) => this.#up(e));
    on("wheel", (e) => this.#zoom(e), false);
    on("dblclick", (e) => void this.#focus(e));
    on("contextmenu", (e) => e.preventDefault(), false);
    on("keydown", (e) => this.#keyDown(e), false);
    on("keyup", (e) => this.#release(e.key));
    on("blur", () => this.#releaseAll());
  }

  #down(event: PointerEvent): void {
    this.#o.element.focus({ preventScroll: true });
    this.#o.element.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#panning = event.button === 1 || event.button === 2 || event.shiftKey;
    this.#o.motion.stop();
    this.#o.motion.zoomAbout(undefined);
    this.#speed = { yaw: 0, pitch: 0, at: 0 };
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const { clientWidth: width, clientHeight: height } = this.#o.element;
    if (this.#pointers.size >= 2) this.#pinch(event.pointerId, before, now, width, height);
    else if (this.#panning) this.#o.camera.pan((now.x - before.x) / width, (now.y - before.y) / height);
    else this.#turn(((before.x - now.x) / width) * turnPerWidth, ((now.y - before.y) / width) * turnPerWidth, event.timeStamp);
    this.#pointers.set(event.pointerId, now);
    this.#o.onChange();
  }

  #turn(yaw: number, pitch: number, at: number): void {
    this.#o.camera.orbit(yaw, pitch);
    const ms = at - this.#speed.at;
    if (ms > 0 && ms < 100) {
      const keep = Math.exp(-ms / 40);
      this.#speed = {
        yaw: this.#speed.yaw * keep + (yaw / ms) * (1 - keep),
        pitch: this.#speed.pitch * keep + (pitch / ms) * (1 - keep),
        at,
      };
    } else {
      this.#speed = { yaw: 0, pitch: 0, at };
    }
  }

  /** Two fingers: their centre pans, their distance zooms. */
  #pinch(id: number, before: { x: number; y: number }, now: { x: number; y: number }, width: number, height: number): void {
    const other = [...this.#pointers].find(([key]) => key !== id)?.[1];
    if (!other) return;
    this.#o.camera.pan((now.x - before.x) / 2 / width, (now.y - before.y) / 2 / height);
    const from = Math.hypot(before.x - other.x, before.y - other.y);
    const to = Math.hypot(now.x - other.x, now.y - other.y);
    if (from > 0 && to > 0) this.#o.camera.zoom(from / to);
  }

  #up(event: PointerEvent): void {
    if (!this.#pointers.delete(event.pointerId)) return;
    const rested = event.timeStamp - this.#speed.at > 50;
    if (this.#pointers.size === 0 && !this.#panning && !rested) this.#o.motion.coast(this.#speed.yaw, this.#speed.pitch);
  }

  #zoom(event: WheelEvent): void {
    event.preventDefault();
    const { offsetX: x, offsetY: y } = event;
    const newGesture =
      event.timeStamp - this.#wheel.at > gesturePauseMs || Math.hypot(x - this.#wheel.x, y - this.#wheel.y) > gestureMovePx;
    if (newGesture) {
      this.#o.motion.zoomAbout(undefined);
      this.#wheel = { at: event.timeStamp, x, y };
      const gesture = this.#wheel;
      void this.#pick(event).then((point) => {
        if (this.#wheel === gesture) this.#o.motion.zoomAbout(point);
      });
    }
    this.#wheel.at = event.timeStamp;
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * 33;
    // A pinch on a touch pad arrives as a wheel event with ctrlKey and small steps.
    this.#o.motion.zoomBy(Math.min(Math.max(pixels * (event.ctrlKey ? 6 : 1) * zoomPerWheelPixel, -1), 1));
  }

  async #focus(event: MouseEvent): Promise<void> {
    const point = await this.#pick(event);
    if (point) this.#o.motion.flyTo(this.#o.camera.focusing(point));
  }

  #pick(event: MouseEvent): Promise<Vec3 | undefined> {
    const { clientWidth, clientHeight } = this.#o.element;
    return this.#o.pick(event.offsetX / clientWidth, event.offsetY / clientHeight);
  }

  #keyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "f" || key === "i") {
      if (!event.repeat) (key === "f" ? this.#o.frameAll : this.#o.toggleOverlay)();
    } else if (event.key in orbitKeys || event.key in zoomKeys) {
      this.#keys.add(event.key);
      this.#panning = event.shiftKey;
      this.#o.motion.hold((ms) => this.#held(ms));
    } else {
      return;
    }
    event.preventDefault();
  }

  #held(ms: number): void {
    const { camera } = this.#o;
    for (const key of this.#keys) {
      const [x, y] = orbitKeys[key] ?? [0, 0];
      if (this.#panning) camera.pan(-x * keySpeed.pan * ms, y * keySpeed.pan * ms);
      else camera.orbit(x * keySpeed.orbit * ms, y * keySpeed.orbit * ms);
      camera.zoom(Math.exp((zoomKeys[key] ?? 0) * keySpeed.zoom * ms));
    }
  }

  #release(key: string): void {
    this.#keys.delete(key);
    if (this.#keys.size === 0) this.#o.motion.hold(undefined);
  }

  #releaseAll(): void {
    this.#keys.clear();
    this.#o.motion.hold(undefined);
  }
}
