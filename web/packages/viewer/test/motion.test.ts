import { describe, expect, it } from "vitest";
import { OrbitCamera } from "../src/camera.ts";
import { Motion } from "../src/motion.ts";
import { vec } from "../src/vec.ts";

function setup(reduced = false) {
  const camera = new OrbitCamera();
  camera.setBounds({ min: vec(-1, -1, -1), max: vec(1, 1, 1) });
  let now = 0;
  let frame: ((now: number) => void) | undefined;
  let changes = 0;
  const motion = new Motion(camera, { onChange: () => changes++, nextFrame: (f) => (frame = f), reduced: () => reduced });
  /** Runs frames until the motion rests; returns how many it took. */
  const run = (max = 1000) => {
    let frames = 0;
    for (; frame && frames < max; frames++) {
      const f = frame;
      frame = undefined;
      f((now += 16));
    }
    return frames;
  };
  return { camera, motion, run, changes: () => changes };
}

describe("Motion", () => {
  it("flies to a view and rests", () => {
    const t = setup();
    const goal = { target: vec(1, 0, 0), distance: 2, yaw: 1, pitch: 0.5 };
    t.motion.flyTo(goal);
    const frames = t.run();
    expect(frames).toBeGreaterThan(10);
    expect(frames).toBeLessThan(40);
    expect(t.camera.view.yaw).toBeCloseTo(1);
    expect(t.camera.view.distance).toBeCloseTo(2);
    expect(t.run()).toBe(0);
  });

  it("applies a zoom completely, over several frames", () => {
    const t = setup();
    const before = t.camera.view.distance;
    t.motion.zoomBy(-0.5);
    expect(t.run()).toBeGreaterThan(3);
    expect(t.camera.view.distance / before).toBeCloseTo(Math.exp(-0.5));
  });

  it("coasts to a stop", () => {
    const t = setup();
    const yaw = t.camera.view.yaw;
    t.motion.coast(0.002, 0);
    expect(t.run()).toBeLessThan(100);
    expect(t.camera.view.yaw - yaw).toBeGreaterThan(0.1);
  });

  it("stops when told", () => {
    const t = setup();
    t.motion.coast(0.002, 0);
    t.run(3);
    t.motion.stop();
    const { yaw } = t.camera.view;
    t.run();
    expect(t.camera.view.yaw).toBe(yaw);
  });

  it("jumps for people who asked for less motion", () => {
    const t = setup(true);
    t.motion.flyTo({ ...t.camera.view, yaw: 3 });
    expect(t.camera.view.yaw).toBe(3);
    expect(t.changes()).toBe(1);
    t.motion.coast(1, 1);
    expect(t.run()).toBe(0);
  });

  it("moves while a key is held", () => {
    const t = setup();
    let ms = 0;
    t.motion.hold((passed) => (ms += passed));
    t.run(10);
    t.motion.hold(undefined);
    t.run();
    expect(ms).toBeCloseTo(160);
  });
});
