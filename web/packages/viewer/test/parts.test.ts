import { HeliographError, type StreamState } from "@heliograph/client";
import { describe, expect, it } from "vitest";
import { cardFor, type SceneFacts } from "../src/cards.ts";
import { bitrate, count, duration, milliseconds } from "../src/format.ts";
import { viewportSize } from "../src/viewport.ts";

describe("viewportSize", () => {
  it("follows the box and the pixel ratio", () => {
    expect(viewportSize(1280, 720, 1)).toEqual({ width: 1280, height: 720 });
    expect(viewportSize(800, 450, 1.5)).toEqual({ width: 1200, height: 674 });
  });
  it("limits the area and keeps the shape", () => {
    expect(viewportSize(1920, 1080, 2)).toEqual({ width: 1920, height: 1080 });
    const portrait = viewportSize(1080, 2400, 3);
    expect(portrait.width * portrait.height).toBeLessThanOrEqual(1920 * 1080);
    expect(portrait.width / portrait.height).toBeCloseTo(1080 / 2400, 2);
    expect(viewportSize(1280, 720, 1, 640 * 360)).toEqual({ width: 640, height: 360 });
  });
  it("is even and never empty", () => {
    expect(viewportSize(333, 111, 1)).toEqual({ width: 332, height: 110 });
    expect(viewportSize(1, 1, 1)).toEqual({ width: 2, height: 2 });
  });
});

describe("format", () => {
  it("writes numbers for people", () => {
    expect([0, 999, 1000, 12_345, 812_000, 1_250_000, 40_000_000, 3n * 10n ** 9n].map(count)).toEqual([
      "0",
      "999",
      "1.00 k",
      "12.3 k",
      "812 k",
      "1.25 M",
      "40.0 M",
      "3.00 G",
    ]);
    expect([undefined, 900, 640_000, 8_420_000].map(bitrate)).toEqual(["–", "1 kbit/s", "640 kbit/s", "8.42 Mbit/s"]);
    expect([undefined, 9.96, 123.4].map(milliseconds)).toEqual(["–", "10.0 ms", "123 ms"]);
    expect([-5, 45, 720, 3900, 7500].map(duration)).toEqual(["0 s", "45 s", "12 min", "65 min", "2 h 05 min"]);
  });
});

describe("cardFor", () => {
  const fine: SceneFacts = { pictureShown: true, empty: false, loading: false, loadError: undefined };
  const connected: StreamState = { name: "connected" };

  it("is out of the way when there is a picture", () => expect(cardFor(connected, fine)).toBeUndefined());

  it("offers the sample for an empty scene, not while something loads", () => {
    expect(cardFor(connected, { ...fine, empty: true })?.action?.name).toBe("sample");
    expect(cardFor(connected, { ...fine, empty: true, loading: true })).toBeUndefined();
  });

  it("says what failed and what to do", () => {
    const failed = cardFor({ name: "failed", error: new HeliographError("busy", "The session has a viewer.") }, fine);
    expect(failed).toMatchObject({ kind: "error", title: "Another viewer is connected", action: { name: "takeover" } });
    expect(failed?.text).toMatch(/^The session has a viewer\. A session has one viewer/);
    expect(cardFor({ name: "ended", reason: "expired", message: "" }, fine)).toMatchObject({ title: "Lease expired", leadsHome: true });
    expect(cardFor(connected, { ...fine, loadError: new HeliographError("invalid", "No such file.") })?.text).toBe("No such file.");
  });
});
