package worker

import (
	"context"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/worker/frame"
)

const (
	minSnapshotEdge = 16
	maxSnapshotEdge = 4096
	// patience ends a snapshot that does not converge, as when pages come slowly.
	patience = 30 * time.Second
)

// snapshot answers with the present view, converged, as a PNG. It draws into a target of its own: the stream goes on.
func (s *Session) snapshot(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	view, viewport := s.frames.View()
	width, height, err := snapshotSize(q, viewport)
	if err != nil {
		return err
	}
	if f := q.Get("format"); f != "" && f != "png" {
		return arr.Errorf(arr.CodeBadRequest, "Snapshots are made in format png.")
	}
	switch q.Get("view") {
	case "", "current":
	case "default":
		view = frame.DefaultView(s.editor.Snapshot().Bounds, float32(width)/float32(height))
	default:
		return arr.Errorf(arr.CodeBadRequest, "view is default or current.")
	}
	img, err := s.drawStill(r.Context(), view, width, height)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	_ = enc.Encode(w, img) // fails only when the client is gone
	return nil
}

// drawStill draws view until it has converged. One still is drawn at a time.
func (s *Session) drawStill(ctx context.Context, view render.View, width, height int) (image.Image, error) {
	select {
	case s.still <- struct{}{}:
		defer func() { <-s.still }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	engine, err := s.engine()
	if err != nil {
		return nil, err
	}
	even := frame.Size{W: (width + 1) &^ 1, H: (height + 1) &^ 1}
	target, err := engine.NewTarget(even.W, even.H)
	if err != nil {
		return nil, err
	}
	defer func() { _ = target.Close() }()
	img := image.NewNRGBA(image.Rect(0, 0, even.W, even.H))
	err = render.Still(ctx, func() (stats render.Stats, err error) {
		err = s.frames.Shared(func() error { // not longer: unloading waits for it
			stats, err = target.Render(s.editor.Snapshot(), view)
			return err
		})
		return stats, err
	}, patience)
	if err != nil {
		return nil, err
	}
	target.RGBA(img.Pix)
	return img.SubImage(image.Rect(0, 0, width, height)), nil
}

// snapshotSize reads width and height. One alone keeps the viewport's shape; without both the viewport's size holds.
func snapshotSize(q url.Values, viewport frame.Size) (width, height int, err error) {
	if width, err = edge(q, "width"); err != nil {
		return 0, 0, err
	}
	if height, err = edge(q, "height"); err != nil {
		return 0, 0, err
	}
	clamp := func(v int) int { return min(max(v, minSnapshotEdge), maxSnapshotEdge) }
	switch {
	case width == 0 && height == 0:
		return viewport.W, viewport.H, nil
	case width == 0:
		width = clamp(height * viewport.W / viewport.H)
	case height == 0:
		height = clamp(width * viewport.H / viewport.W)
	}
	return width, height, nil
}

// edge reads one edge length; 0 means that it was not given.
func edge(q url.Values, name string) (int, error) {
	text := q.Get(name)
	if text == "" {
		return 0, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < minSnapshotEdge || v > maxSnapshotEdge {
		return 0, arr.Errorf(arr.CodeBadRequest, "%s is a number of pixels from %d to %d.", name, minSnapshotEdge, maxSnapshotEdge)
	}
	return v, nil
}
