package gltf

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/webp"

	"github.com/heliograph/heliograph/internal/scene"
)

// maxSide is the largest texture, in pixels a side.
const maxSide = 16384

// maxScans bounds the passes over a progressive JPEG. Usual are about ten; each scan costs as much time as the whole
// picture, in a few bytes. Its marker cannot occur inside of compressed data.
const maxScans = 100

// imageJob decodes one image for all the textures that show it.
type imageJob struct {
	at       string
	data     []byte
	textures []*scene.Texture
	run      func() error
}

// planImage finds the bytes of image i. A file that is not there is no error: the surface shows its plain colour.
func (l *loader) planImage(p *plan, i integer) (*imageJob, error) {
	if im, ok := p.imageOf[i]; ok {
		return im, nil
	}
	p.imageOf[i] = nil
	src, job := &l.doc.Images[i], &imageJob{at: fmt.Sprintf("/images/%d", i)}
	var err error
	if src.URI != nil {
		job.data, err = l.src.resolve(*src.URI, l.opts.MemoryBudget-l.input)
		if errors.Is(err, errNoFile) {
			l.warn("Missing texture: %.200q is not beside the model.", *src.URI)
			return nil, nil
		}
		if err != nil {
			return nil, asError(err, job.at+"/uri", *src.URI)
		}
		l.input += int64(len(job.data))
	} else if job.data, err = l.bytesOf(src.BufferView, job.at); err != nil {
		return nil, err
	}
	job.run = func() error { return l.decodeImage(job) }
	p.imageOf[i] = job
	p.images = append(p.images, job)
	return job, nil
}

func (l *loader) decodeImage(job *imageJob) error {
	decodeConfig, decode := png.DecodeConfig, png.Decode
	switch d := job.data; {
	case bytes.HasPrefix(d, []byte("\x89PNG\r\n\x1a\n")):
	case bytes.HasPrefix(d, []byte("\xff\xd8\xff")):
		decodeConfig, decode = jpeg.DecodeConfig, jpeg.Decode
		if n := bytes.Count(d, []byte("\xff\xda")); n > maxScans {
			return fail(job.at, "the JPEG image has %d scans; at most %d are allowed", n, maxScans)
		}
	case len(d) >= 12 && string(d[:4]) == "RIFF" && string(d[8:12]) == "WEBP":
		decodeConfig, decode = webp.DecodeConfig, webp.Decode
	default:
		return fail(job.at, "the image is neither PNG nor JPEG nor WebP")
	}
	c, err := decodeConfig(bytes.NewReader(job.data))
	if err != nil {
		return fail(job.at, "the image cannot be decoded: %v", err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide {
		return fail(job.at, "the image has %d x %d pixels; at most %d x %d are allowed", c.Width, c.Height, maxSide, maxSide)
	}
	if err := l.images.take(8*int64(c.Width)*int64(c.Height), job.at); err != nil {
		return err
	}
	decoded, err := decode(bytes.NewReader(job.data))
	if err != nil {
		return fail(job.at, "the image cannot be decoded: %v", err)
	}
	rgba := toNRGBA(decoded)
	for _, t := range job.textures {
		t.Image = rgba
	}
	return nil
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
