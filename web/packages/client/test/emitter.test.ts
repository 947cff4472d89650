import { describe, expect, it } from "vitest";
import { Emitter } from "../src/emitter.ts";

class Subject extends Emitter<{ value: number; other: string }> {
  fire(n: number) {
    this.emit("value", n);
  }
}

describe("Emitter", () => {
  it("calls the listeners of that name only", () => {
    const s = new Subject();
    const seen: unknown[] = [];
    s.on("value", (n) => seen.push(n));
    s.on("other", (t) => seen.push(t));
    s.fire(1);
    s.fire(2);
    expect(seen).toEqual([1, 2]);
  });

  it("stops by off, by the returned function and by a signal", () => {
    const s = new Subject();
    const seen: string[] = [];
    const byOff = () => seen.push("off");
    const abort = new AbortController();
    s.on("value", byOff);
    const stop = s.on("value", () => seen.push("function"));
    s.on("value", () => seen.push("signal"), { signal: abort.signal });
    s.fire(1);
    expect(seen).toEqual(["off", "function", "signal"]);
    s.off("value", byOff);
    stop();
    abort.abort();
    s.fire(2);
    expect(seen).toHaveLength(3);
    s.on("value", () => seen.push("late"), { signal: abort.signal });
    s.fire(3);
    expect(seen).toHaveLength(3);
  });

  it("lets a listener remove itself without skipping the next", () => {
    const s = new Subject();
    const seen: string[] = [];
    const stop = s.on("value", () => {
      seen.push("once");
      stop();
    });
    s.on("value", () => seen.push("always"));
    s.fire(1);
    s.fire(2);
    expect(seen).toEqual(["once", "always", "always"]);
  });
});
