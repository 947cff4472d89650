package gltf

import (
	"bytes"
	"errors"
	"fmt"
	"image"

	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/gltf/ktx2"
	"github.com/heliograph/heliograph/internal/scene"
)

// imageJob decodes one image for all the textures that show it.
type imageJob struct {
	at       string
	data     []byte
	textures []*scene.Texture
	run      func() error
}

// planImage finds the bytes of image i. The error of a file that is not there is importer.ErrNoFile.
func (l *loader) planImage(p *plan, i integer) (*imageJob, error) {
	if im := p.imageOf[i]; im != nil {
		return im, nil
	}
	src, job := &l.doc.Images[i], &imageJob{at: fmt.Sprintf("/images/%d", i)}
	var err error
	if src.URI != nil {
		job.data, err = l.src.Resolve(*src.URI, l.opts.MemoryBudget-l.input)
		if errors.Is(err, importer.ErrNoFile) {
			return nil, err
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
	var rgba *image.NRGBA
	var err error
	if bytes.HasPrefix(job.data, []byte(ktx2.Magic)) {
		rgba, err = ktx2.Decode(job.data, l.images.Take)
	} else {
		rgba, err = importer.DecodeImage(job.data, &l.images)
	}
	if err != nil {
		return asError(err, job.at, "")
	}
	for _, t := range job.textures {
		t.Image = rgba
	}
	return nil
}
