import { fromBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PoseSchema } from "../src/gen/v1/stream_pb.ts";
import type { Pose } from "../src/messages.ts";
import { PoseSender } from "../src/pose-sender.ts";

const pose = (x: number): Pose => ({ position: { x, y: 0, z: 0 }, orientation: { x: 0, y: 0, z: 0, w: 1 }, fovY: 1, near: 0.1 });

function setup() {
  const sent: { id: number; x: number }[] = [];
  const timed: number[] = [];
  let frame: (() => void) | undefined;
  const channel = {
    readyState: "open",
    bufferedAmount: 0,
    send(data: Uint8Array) {
      const p = fromBinary(PoseSchema, data);
      sent.push({ id: p.id, x: p.position?.x ?? NaN });
    },
  };
  const sender = new PoseSender({ onSent: (id) => timed.push(id), now: () => 0, nextFrame: (f) => (frame = f) });
  const nextFrame = () => {
    const f = frame;
    frame = undefined;
    f?.();
  };
  return { sent, timed, channel, sender, nextFrame };
}

describe("PoseSender", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("sends the first pose at once and then the newest once per frame", () => {
    const t = setup();
    t.sender.attach(t.channel);
    t.sender.set(pose(1));
    t.sender.set(pose(2));
    t.sender.set(pose(3));
    expect(t.sent).toEqual([{ id: 1, x: 1 }]);
    t.nextFrame();
    expect(t.sent).toEqual([
      { id: 1, x: 1 },
      { id: 2, x: 3 },
    ]);
    t.nextFrame();
    t.nextFrame();
    expect(t.sent).toHaveLength(2);
  });

  it("does not pile up poses on a stuck channel", () => {
    const t = setup();
    t.sender.attach(t.channel);
    t.channel.bufferedAmount = 100_000;
    t.sender.set(pose(1));
    t.nextFrame();
    expect(t.sent).toEqual([]);
    t.sender.set(pose(2));
    t.channel.bufferedAmount = 0;
    t.nextFrame();
    expect(t.sent).toEqual([{ id: 1, x: 2 }]);
  });

  it("sends a lost last pose again until a frame acknowledges it", () => {
    const t = setup();
    t.sender.attach(t.channel);
    t.sender.set(pose(1));
    t.nextFrame();
    vi.advanceTimersByTime(200);
    expect(t.sent).toEqual([
      { id: 1, x: 1 },
      { id: 2, x: 1 },
    ]);
    expect(t.timed).toEqual([1]); // latency counts from the first sending
    t.sender.acknowledge(2);
    t.nextFrame();
    vi.advanceTimersByTime(5000);
    expect(t.sent).toHaveLength(2);
  });

  it("gives up resending when nobody answers", () => {
    const t = setup();
    t.sender.attach(t.channel);
    t.sender.set(pose(1));
    for (let i = 0; i < 100; i++) {
      t.nextFrame();
      vi.advanceTimersByTime(200);
    }
    expect(t.sent).toHaveLength(9);
  });

  it("restores the pose on a new connection, with ids from 1", () => {
    const t = setup();
    t.sender.attach(t.channel);
    t.sender.set(pose(1));
    t.nextFrame();
    t.sender.attach(undefined);
    t.sender.set(pose(2));
    t.nextFrame();
    expect(t.sent).toHaveLength(1);
    t.sender.attach(t.channel);
    expect(t.sent.at(-1)).toEqual({ id: 1, x: 2 });
  });
});
