import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { FrameRecordSchema } from "../src/gen/v1/stream_pb.ts";
import { LatencyTracker, mean, percentile, Window } from "../src/latency.ts";

const record = (rtpTimestamp: number, poseId: number) => create(FrameRecordSchema, { rtpTimestamp, poseId });

describe("LatencyTracker", () => {
  it("measures from a pose to the first frame drawn with it", () => {
    const t = new LatencyTracker();
    t.poseSent(1, 100);
    t.recordArrived(record(9000, 1));
    t.recordArrived(record(12000, 1)); // the same pose once more, for anti-aliasing
    expect(t.frameShown(9000, 130)?.latencies).toEqual([30]);
    expect(t.frameShown(12000, 150)?.latencies).toEqual([]);
  });

  it("counts skipped poses with the frame of the newer pose", () => {
    const t = new LatencyTracker();
    for (let id = 1; id <= 3; id++) t.poseSent(id, id * 10);
    t.recordArrived(record(1, 3));
    expect(t.frameShown(1, 50)?.latencies).toEqual([40, 30, 20]);
  });

  it("ignores frames whose record is lost, and repairs with the next", () => {
    const t = new LatencyTracker();
    t.poseSent(1, 0);
    t.poseSent(2, 16);
    expect(t.frameShown(1, 30)).toBeUndefined();
    t.recordArrived(record(2, 2));
    expect(t.frameShown(2, 46)?.latencies).toEqual([46, 30]);
  });

  it("does not go back when frames are shown out of order", () => {
    const t = new LatencyTracker();
    t.poseSent(1, 0);
    t.poseSent(2, 10);
    t.recordArrived(record(1, 1));
    t.recordArrived(record(2, 2));
    expect(t.frameShown(2, 30)?.latencies).toEqual([30, 20]);
    expect(t.frameShown(1, 31)?.latencies).toEqual([]);
  });

  it("keeps a bounded memory", () => {
    const t = new LatencyTracker();
    for (let i = 1; i <= 5000; i++) {
      t.poseSent(i, i);
      t.recordArrived(record(i, i));
    }
    expect(t.frameShown(1, 6000)).toBeUndefined(); // its record was dropped long ago
    expect(t.frameShown(5000, 6000)?.latencies).toHaveLength(512);
  });

  it("leaves out poses that were sent while nothing was shown", () => {
    const t = new LatencyTracker();
    t.poseSent(1, 0);
    t.forgetPoses();
    t.poseSent(2, 5000);
    t.recordArrived(record(1, 2));
    expect(t.frameShown(1, 5030)?.latencies).toEqual([30]);
  });

  it("forgets everything at a new connection", () => {
    const t = new LatencyTracker();
    t.poseSent(7, 0);
    t.recordArrived(record(1, 7));
    t.frameShown(1, 5);
    t.reset();
    t.poseSent(1, 100);
    t.recordArrived(record(1, 1));
    expect(t.frameShown(1, 120)?.latencies).toEqual([20]);
  });
});

describe("Window", () => {
  it("holds what is not older than its span", () => {
    const w = new Window(100);
    w.add(0, 1);
    w.add(50, 2);
    w.add(120, 3);
    expect(w.values(120)).toEqual([2, 3]);
    expect(w.values(500)).toEqual([]);
  });
});

describe("percentile", () => {
  it("is the nearest rank", () => {
    const values = [5, 1, 4, 2, 3];
    expect(percentile(values, 0.5)).toBe(3);
    expect(percentile(values, 0.95)).toBe(5);
    expect(percentile(values, 0)).toBe(1);
    expect(percentile([], 0.5)).toBeUndefined();
    expect(values).toEqual([5, 1, 4, 2, 3]); // untouched
  });

  it("has a mean beside it", () => {
    expect(mean([1, 2, 3])).toBe(2);
    expect(mean([])).toBeUndefined();
  });
});
