import { describe, expect, it } from "vitest";
import { interpolate, OrbitCamera, type Bounds } from "../src/camera.ts";
import { length, rotate, sub, vec } from "../src/vec.ts";

const box: Bounds = { min: vec(-2, 0, -1), max: vec(2, 1, 1) };

function corners(b: Bounds) {
  return [0, 1, 2, 3, 4, 5, 6, 7].map((i) => vec(i & 1 ? b.max.x : b.min.x, i & 2 ? b.max.y : b.min.y, i & 4 ? b.max.z : b.min.z));
}

function camera(aspect = 16 / 9) {
  const c = new OrbitCamera();
  c.aspect = aspect;
  c.setBounds(box);
  c.view = c.framing(box);
  return c;
}

describe("OrbitCamera", () => {
  it("looks at its target along -Z with +Y up", () => {
    const c = camera();
    c.view = { target: vec(1, 2, 3), distance: 4, yaw: 0, pitch: 0 };
    expect(c.position).toEqual(vec(1, 2, 7));
    expect(c.orientation).toEqual({ x: 0, y: 0, z: 0, w: 1 });
    c.view = { target: vec(1, 2, 3), distance: 4, yaw: Math.PI / 2, pitch: 0 };
    const p = c.position;
    expect(p.x).toBeCloseTo(5);
    expect(p.z).toBeCloseTo(3);
    for (const [yaw, pitch] of [
      [0.3, 0.4],
      [2, -1],
      [-1, 1.5],
    ] as const) {
      c.view = { target: vec(0, 0, 0), distance: 3, yaw, pitch };
      const forward = rotate(c.orientation, vec(0, 0, -1));
      const expected = sub(vec(0, 0, 0), c.position);
      expect(forward.x * 3).toBeCloseTo(expected.x);
      expect(forward.y * 3).toBeCloseTo(expected.y);
      expect(forward.z * 3).toBeCloseTo(expected.z);
      expect(rotate(c.orientation, vec(1, 0, 0)).y).toBeCloseTo(0); // the horizon is level
      expect(rotate(c.orientation, vec(0, 1, 0)).y).toBeGreaterThanOrEqual(0);
    }
  });

  it.each([16 / 9, 1, 9 / 16])("frames the whole box tightly at aspect %f", (aspect) => {
    const c = camera(aspect);
    for (const [yaw, pitch] of [
      [0, 0],
      [0.6, 0.4],
      [2.5, -1.2],
      [-1, 1.5],
    ] as const) {
      c.view = { ...c.view, yaw, pitch };
      c.view = c.framing(box);
      const points = corners(box).map((p) => c.project(p)!);
      const reach = Math.max(...points.flatMap((p) => [Math.abs(p.x - 0.5), Math.abs(p.y - 0.5)]));
      expect(reach).toBeLessThanOrEqual(0.5);
      expect(reach).toBeGreaterThan(0.4);
    }
  });

  it("keeps the fixed point in place on the screen while zooming", () => {
    const c = camera();
    const fixed = vec(1.5, 0.8, 0.7);
    const before = c.project(fixed)!;
    const distance = length(sub(c.position, fixed));
    c.zoom(0.4, fixed);
    expect(c.project(fixed)!.x).toBeCloseTo(before.x, 9);
    expect(c.project(fixed)!.y).toBeCloseTo(before.y, 9);
    expect(length(sub(c.position, fixed))).toBeCloseTo(distance * 0.4, 9);
  });

  it("pans what is at the pivot with the pointer", () => {
    const c = camera();
    const grabbed = c.view.target;
    c.pan(0.1, -0.2);
    expect(c.project(grabbed)!.x).toBeCloseTo(0.6, 9);
    expect(c.project(grabbed)!.y).toBeCloseTo(0.3, 9);
  });

  it("stops at the poles and at the limits of the zoom", () => {
    const c = camera();
    c.orbit(0, 100);
    expect(c.view.pitch).toBeLessThan(Math.PI / 2);
    c.orbit(0, -200);
    expect(c.view.pitch).toBeGreaterThan(-Math.PI / 2);
    c.zoom(1e-12);
    expect(c.view.distance).toBeGreaterThan(0);
    const closest = c.view.target;
    c.zoom(0.5, vec(9, 9, 9)); // at the limit nothing moves
    expect(c.view.target).toEqual(closest);
    c.zoom(1e12);
    expect(c.view.distance).toBeLessThan(100 * length(sub(box.max, box.min)));
  });

  it("never clips the scene with its near plane from outside, and stays close inside", () => {
    const c = camera();
    for (const factor of [1, 3, 3, 0.05, 0.1, 0.1]) {
      c.zoom(factor);
      const nearest = Math.min(...corners(box).map((p) => length(sub(p, c.position))));
      const outside = length(sub(c.position, vec(0, 0.5, 0))) > length(sub(box.max, box.min)) / 2;
      if (outside) expect(c.near).toBeLessThan(nearest);
      else expect(c.near).toBeLessThanOrEqual(c.view.distance * 0.01);
      expect(c.near).toBeGreaterThan(0);
    }
  });

  it("keeps the whole box in view when the window becomes narrow, and comes back", () => {
    const c = camera(16 / 9);
    const before = c.view;
    c.reshape(9 / 16, box);
    for (const corner of corners(box)) {
      const p = c.project(corner)!;
      expect(Math.max(Math.abs(p.x - 0.5), Math.abs(p.y - 0.5))).toBeLessThanOrEqual(0.5);
    }
    c.reshape(16 / 9, box);
    expect(c.view.distance).toBeCloseTo(before.distance, 9);
  });

  it("survives an empty extent", () => {
    const c = new OrbitCamera();
    const point = { min: vec(1, 1, 1), max: vec(1, 1, 1) };
    c.setBounds(point);
    c.view = c.framing(point);
    expect(Number.isFinite(c.position.x) && c.near > 0).toBe(true);
  });
});

describe("interpolate", () => {
  it("starts at a, ends at b, and changes distance by equal ratios", () => {
    const a = { target: vec(0, 0, 0), distance: 1, yaw: 0, pitch: 0 };
    const b = { target: vec(2, 0, 0), distance: 100, yaw: 1, pitch: -1 };
    expect(interpolate(a, b, 0)).toEqual({ ...a, pitch: 0 });
    expect(interpolate(a, b, 1).distance).toBeCloseTo(100);
    expect(interpolate(a, b, 0.5).distance).toBeCloseTo(10);
    expect(interpolate(a, b, 0.5).target.x).toBeCloseTo(1);
  });
});
