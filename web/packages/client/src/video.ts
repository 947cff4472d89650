import type { Stream } from "./stream.ts";

/**
 * Shows a stream's video in an element and tells the stream which frame is on the screen, for the latency. The time that
 * counts is when the browser expects the frame to be visible. Returns the function that detaches.
 */
export function attachVideo(stream: Stream, video: HTMLVideoElement): () => void {
  const detach = new AbortController();
  const show = (media: MediaStream) => {
    video.srcObject = media;
    // A page in the background may not play yet; autoplay starts it when it comes to the front.
    video.play().catch(() => {});
  };
  video.muted = true;
  video.autoplay = true;
  video.playsInline = true;
  stream.on("media", show, { signal: detach.signal });

  document.addEventListener("visibilitychange", () => stream.skipLatency(), { signal: detach.signal });
  let handle = 0;
  const onFrame: VideoFrameRequestCallback = (_now, metadata) => {
    handle = video.requestVideoFrameCallback(onFrame);
    stream.frameShown(metadata.rtpTimestamp, Math.max(metadata.expectedDisplayTime, metadata.presentationTime));
  };
  if ("requestVideoFrameCallback" in video) handle = video.requestVideoFrameCallback(onFrame);
  detach.signal.addEventListener("abort", () => {
    if (handle) video.cancelVideoFrameCallback(handle);
    video.srcObject = null;
  });
  return () => detach.abort();
}
