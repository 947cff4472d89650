import type { Pose, Quat, Vec3 } from "@heliograph/client";
import { add, clamp, length, mix, multiply, rotate, scale, sub, vec } from "./vec.ts";

export interface Bounds {
  min: Vec3;
  max: Vec3;
}

/** What a turntable camera is made of: it looks at `target` from `distance`, turned by `yaw` about +Y and raised by `pitch`. */
export interface View {
  target: Vec3;
  distance: number;
  yaw: number;
  pitch: number;
}

/** Just short of the poles, where the turntable would lose its sense of left and right. */
const maxPitch = (89.5 * Math.PI) / 180;
/** Room around the scene; with field of view and first direction as the worker's own default view, so that the first pose moves nothing. */
const margin = 1.08;

/** A turntable camera. Screen positions are 0..1 from the left and from the top; lengths are metres, angles radians. */
export class OrbitCamera {
  readonly fovY = (45 * Math.PI) / 180;
  view: View = { target: vec(0, 0, 0), distance: 5, yaw: (35 * Math.PI) / 180, pitch: (22 * Math.PI) / 180 };
  aspect = 16 / 9;
  #center = vec(0, 0, 0);
  #radius = 1;

  /** Tells the extent of the scene, which limits zooming and places the near plane. */
  setBounds(bounds: Bounds): void {
    this.#center = mix(bounds.min, bounds.max, 0.5);
    this.#radius = Math.max(length(sub(bounds.max, bounds.min)) / 2, 1e-6);
    this.view.distance = this.#limit(this.view.distance);
  }

  get orientation(): Quat {
    const { yaw, pitch } = this.view;
    const turn = { x: 0, y: Math.sin(yaw / 2), z: 0, w: Math.cos(yaw / 2) };
    const raise = { x: -Math.sin(pitch / 2), y: 0, z: 0, w: Math.cos(pitch / 2) };
    return multiply(turn, raise);
  }

  get position(): Vec3 {
    return add(this.view.target, scale(rotate(this.orientation, vec(0, 0, 1)), this.view.distance));
  }

  /** As near as the scene allows while far away, and a fraction of the pivot's distance inside it. */
  get near(): number {
    const gap = length(sub(this.position, this.#center)) - this.#radius;
    return Math.max(gap * 0.9, this.view.distance * 0.005, this.#radius * 1e-6);
  }

  pose(): Pose {
    return { position: this.position, orientation: this.orientation, fovY: this.fovY, near: this.near };
  }

  /** Turns by angles: positive yaw moves the eye to the right, positive pitch up. */
  orbit(yaw: number, pitch: number): void {
    this.view.yaw += yaw;
    this.view.pitch = clamp(this.view.pitch + pitch, -maxPitch, maxPitch);
  }

  /** Moves the eye and the pivot such that what is at the pivot's depth follows a pointer that moves by (x, y) of the picture. */
  pan(x: number, y: number): void {
    const height = 2 * this.view.distance * Math.tan(this.fovY / 2);
    this.view.target = add(this.view.target, rotate(this.orientation, vec(-x * height * this.aspect, y * height, 0)));
  }

  /**
   * Multiplies the distance by `factor`, keeping `fixed` (a point of the world; the pivot if absent) where it is on the
   * screen: a homothety about that point.
   */
  zoom(factor: number, fixed: Vec3 = this.view.target): void {
    const distance = this.#limit(this.view.distance * factor);
    const applied = distance / this.view.distance;
    this.view.target = mix(fixed, this.view.target, applied);
    this.view.distance = distance;
  }

  /** The view from the present direction in which the whole box just fits the picture. */
  framing(bounds: Bounds): View {
    const center = mix(bounds.min, bounds.max, 0.5);
    const tanY = Math.tan(this.fovY / 2);
    const tanX = tanY * this.aspect;
    const q = this.orientation;
    const toCamera = { x: -q.x, y: -q.y, z: -q.z, w: q.w };
    let distance = 0;
    for (let corner = 0; corner < 8; corner++) {
      const p = rotate(
        toCamera,
        sub(
          vec(corner & 1 ? bounds.max.x : bounds.min.x, corner & 2 ? bounds.max.y : bounds.min.y, corner & 4 ? bounds.max.z : bounds.min.z),
          center,
        ),
      );
      // A corner is inside when |x| <= (distance - z) tan(fov/2); likewise y.
      distance = Math.max(distance, p.z + Math.abs(p.x) / tanX, p.z + Math.abs(p.y) / tanY);
    }
    return { ...this.view, target: center, distance: this.#limit(distance * margin) };
  }

  /** Changes the picture's shape, moving in or out such that as much of the scene's extent stays in view as before. */
  reshape(aspect: number, bounds: Bounds | undefined): void {
    const before = bounds && this.framing(bounds).distance;
    this.aspect = aspect;
    if (before) this.zoom(this.framing(bounds).distance / before);
  }

  /** The view that looks at a point from the present direction, closer than now. */
  focusing(point: Vec3): View {
    return { ...this.view, target: point, distance: this.#limit(length(sub(this.position, point)) * 0.5) };
  }

  /** Where a point of the world is on the screen; undefined behind the camera. */
  project(point: Vec3): { x: number; y: number } | undefined {
    const q = this.orientation;
    const p = rotate({ x: -q.x, y: -q.y, z: -q.z, w: q.w }, sub(point, this.position));
    if (p.z >= 0) return undefined;
    const tanY = Math.tan(this.fovY / 2);
    return { x: 0.5 + p.x / (-p.z * tanY * this.aspect * 2), y: 0.5 - p.y / (-p.z * tanY * 2) };
  }

  #limit(distance: number): number {
    return clamp(distance, this.#radius * 2e-3, this.#radius * 40);
  }
}

/** The view a fraction t (0..1) of the way from a to b; distances change by equal ratios. */
export function interpolate(a: View, b: View, t: number): View {
  return {
    target: mix(a.target, b.target, t),
    distance: a.distance * (b.distance / a.distance) ** t,
    yaw: a.yaw + (b.yaw - a.yaw) * t,
    pitch: a.pitch + (b.pitch - a.pitch) * t,
  };
}
