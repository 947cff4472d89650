const defaultMaxPixels = 1920 * 1080;

/**
 * The picture size for a box of CSS pixels: as many pixels as the screen has there, at most `maxPixels` of area with the
 * same shape, in even numbers as 4:2:0 video wants them.
 */
export function viewportSize(
  cssWidth: number,
  cssHeight: number,
  ratio: number,
  maxPixels = defaultMaxPixels,
): { width: number; height: number } {
  const full = { width: cssWidth * ratio, height: cssHeight * ratio };
  const shrink = Math.min(1, Math.sqrt(maxPixels / (full.width * full.height)));
  const even = (x: number) => Math.max(2, Math.floor(x / 2) * 2);
  // The tiny addition keeps a size that fits exactly from being rounded down by the square root's last bit.
  return { width: even(full.width * shrink + 1e-6), height: even(full.height * shrink + 1e-6) };
}
