/** "1.25 M", "812 k", "64": counts of triangles and the like. */
export function count(n: number | bigint): string {
  const value = Number(n);
  if (value < 1000) return String(value);
  const [unit, divisor] = value < 1e6 ? ["k", 1e3] : value < 1e9 ? ["M", 1e6] : ["G", 1e9];
  return `${significant(value / (divisor as number))} ${unit as string}`;
}

/** Three significant digits, no exponent. */
function significant(x: number): string {
  return x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);
}

/** "8.42 Mbit/s". */
export function bitrate(bitsPerSecond: number | undefined): string {
  if (bitsPerSecond === undefined) return "–";
  return bitsPerSecond >= 1e6 ? `${significant(bitsPerSecond / 1e6)} Mbit/s` : `${(bitsPerSecond / 1e3).toFixed(0)} kbit/s`;
}

/** "23.4 ms". */
export function milliseconds(ms: number | undefined): string {
  return ms === undefined ? "–" : `${ms >= 100 ? ms.toFixed(0) : ms.toFixed(1)} ms`;
}

/** "1 h 05 min", "12 min", "45 s". */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return `${s} s`;
  const minutes = Math.round(s / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
