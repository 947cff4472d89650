package main

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"time"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/render/cpu"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/worker/frame"
)

type thumbnailCmd struct {
	Asset   string `arg:"" help:"The asset."`
	Picture string `arg:"" help:"The PNG file to write."`
	Width   int    `default:"512" help:"Width in pixels, even, 16 to 4096."`
	Height  int    `default:"512" help:"Height in pixels, even, 16 to 4096."`
}

// thumbnailPatience ends a picture that does not converge.
const thumbnailPatience = 30 * time.Second

// Run draws the whole asset, as a session shows it first.
func (c *thumbnailCmd) Run(e *env) (err error) {
	for _, edge := range []int{c.Width, c.Height} {
		if edge < 16 || edge > 4096 || edge%2 != 0 {
			return usageError{fmt.Errorf("pictures of %d x %d pixels are not drawn", c.Width, c.Height)}
		}
	}
	f, err := asset.OpenFile(c.Asset)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := f.LoadTextures(e.ctx, nil); err != nil {
		return err
	}
	engine, err := cpu.New(cpu.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }()
	picture, err := drawModel(e.ctx, engine, f.Model(), c.Width, c.Height)
	if err != nil {
		return err
	}
	out, err := os.Create(c.Picture)
	if err != nil {
		return err
	}
	defer func() {
		if closed := out.Close(); err == nil {
			err = closed
		}
	}()
	return png.Encode(out, picture)
}

// drawModel draws a model that fills the picture.
func drawModel(ctx context.Context, engine render.Engine, m *scene.Model, width, height int) (image.Image, error) {
	if err := engine.Prepare(ctx, m, func(float64) {}); err != nil {
		return nil, err
	}
	editor := scene.NewEditor()
	editor.AddModel(m)
	snap := editor.Snapshot()
	target, err := engine.NewTarget(width, height)
	if err != nil {
		return nil, err
	}
	defer func() { _ = target.Close() }()
	view := frame.DefaultView(snap.Bounds, float32(width)/float32(height))
	err = render.Still(ctx, func() (render.Stats, error) { return target.Render(snap, view) }, thumbnailPatience)
	if err != nil {
		return nil, err
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	target.RGBA(img.Pix)
	return img, nil
}
