package importer

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// maxSide is the largest texture, in pixels a side.
const maxSide = 16384

// maxScans bounds the passes over a progressive JPEG. Usual are about ten; each scan costs as much time as the whole
// picture, in a few bytes. Its marker cannot occur inside of compressed data.
const maxScans = 100

// DecodeImage decodes a PNG, JPEG, WebP, BMP or TGA file. The memory for it comes out of b; nothing is allocated before.
func DecodeImage(data []byte, b *Budget) (*image.NRGBA, error) {
	decodeConfig, decode := png.DecodeConfig, png.Decode
	switch d := data; {
	case bytes.HasPrefix(d, []byte("\x89PNG\r\n\x1a\n")):
	case bytes.HasPrefix(d, []byte("\xff\xd8\xff")):
		decodeConfig, decode = jpeg.DecodeConfig, jpeg.Decode
		if n := bytes.Count(d, []byte("\xff\xda")); n > maxScans {
			return nil, fmt.Errorf("the JPEG image has %d scans; at most %d are allowed", n, maxScans)
		}
	case len(d) >= 12 && string(d[:4]) == "RIFF" && string(d[8:12]) == "WEBP":
		decodeConfig, decode = webp.DecodeConfig, webp.Decode
	case bytes.HasPrefix(d, []byte("BM")):
		decodeConfig, decode = bmp.DecodeConfig, bmp.Decode
	default:
		t, ok := readTGA(d)
		if !ok {
			return nil, errors.New("the image is neither PNG nor JPEG nor WebP nor BMP nor TGA")
		}
		decodeConfig = func(io.Reader) (image.Config, error) { return image.Config{Width: t.w, Height: t.h}, nil }
		decode = func(io.Reader) (image.Image, error) { return t.decode(d) }
	}
	c, err := decodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("the image cannot be decoded: %w", err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide {
		return nil, fmt.Errorf("the image has %d x %d pixels; at most %d x %d are allowed", c.Width, c.Height, maxSide, maxSide)
	}
	if err := b.Take(8 * int64(c.Width) * int64(c.Height)); err != nil {
		return nil, err
	}
	decoded, err := decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("the image cannot be decoded: %w", err)
	}
	return toNRGBA(decoded), nil
}

// toNRGBA converts what the decoders return. 16 bit channels keep their high byte.
func toNRGBA(src image.Image) *image.NRGBA {
	b := src.Bounds()
	switch s := src.(type) {
	case *image.NRGBA:
		if b.Min == (image.Point{}) {
			return s
		}
	case *image.RGBA:
		if s.Opaque() && b.Min == (image.Point{}) { // PNG without alpha: not premultiplied by anything but 1
			return &image.NRGBA{Pix: s.Pix, Stride: s.Stride, Rect: s.Rect}
		}
	}
	dst := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		row := dst.Pix[y*dst.Stride:]
		for x := range b.Dx() {
			px, o := image.Pt(b.Min.X+x, b.Min.Y+y), row[4*x:4*x+4]
			switch s := src.(type) {
			case *image.YCbCr:
				yi, ci := s.YOffset(px.X, px.Y), s.COffset(px.X, px.Y)
				o[0], o[1], o[2] = color.YCbCrToRGB(s.Y[yi], s.Cb[ci], s.Cr[ci])
				o[3] = 255
			case *image.Gray:
				v := s.Pix[s.PixOffset(px.X, px.Y)]
				o[0], o[1], o[2], o[3] = v, v, v, 255
			default:
				c := color.NRGBAModel.Convert(src.At(px.X, px.Y)).(color.NRGBA)
				o[0], o[1], o[2], o[3] = c.R, c.G, c.B, c.A
			}
		}
	}
	return dst
}
