package ply

import (
	"errors"
	"fmt"
	"io"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

// batchPoints is how many points are read at once.
const batchPoints = 1 << 14

// slot is where a property of a point goes.
type slot uint8

const (
	slotNone slot = iota
	slotX
	slotY
	slotZ
	slotNX
	slotNY
	slotNZ
	slotR
	slotG
	slotB
	slotA
	slots
)

var slotOf = map[string]slot{
	"x": slotX, "y": slotY, "z": slotZ, "nx": slotNX, "ny": slotNY, "nz": slotNZ,
	"red": slotR, "diffuse_red": slotR, "ambient_red": slotR, "r": slotR,
	"green": slotG, "diffuse_green": slotG, "ambient_green": slotG, "g": slotG,
	"blue": slotB, "diffuse_blue": slotB, "ambient_blue": slotB, "b": slotB,
	"alpha": slotA, "a": slotA,
}

// points reads the vertices of a file without faces as a cloud.
func (r *reader) points(h *header, src importer.Source) (*scene.Model, error) {
	var cloud *importer.Cloud
	for i := range h.elements {
		e := &h.elements[i]
		if e.name != "vertex" {
			if err := r.element(e); err != nil {
				return nil, fmt.Errorf("element %s: %w", e.name, err)
			}
			continue
		}
		if cloud != nil {
			return nil, errors.New("element vertex: it is there twice")
		}
		var err error
		if cloud, err = r.cloud(e); err != nil {
			return nil, fmt.Errorf("element vertex: %w", err)
		}
	}
	if cloud == nil {
		return nil, importer.ErrNoPoints
	}
	if err := cloud.Done(); err != nil {
		return nil, err
	}
	cloud.Scale(geom.Vec3{}, geom.Vec3{1, 1, 1})
	return importer.CloudModel(src.ModelName(), cloud, h.source(), &r.warnings)
}

// source is what the header tells of the file.
func (h *header) source() scene.SourceInfo {
	return scene.SourceInfo{Format: "PLY " + h.encoding.String(), FormatVersion: "1.0", GammaSpaceColors: true}
}

func (r *reader) cloud(e *element) (*importer.Cloud, error) {
	if !e.has("x") || !e.has("y") || !e.has("z") {
		return nil, errors.New("vertices have no x, y and z")
	}
	var has [slots]bool
	plan, bytes, fixed := make([]slot, len(e.properties)), 0, r.in.encoding != ascii
	for i, p := range e.properties {
		if p.length != 0 {
			fixed = false
			continue
		}
		plan[i] = slotOf[p.name]
		has[plan[i]] = true
		bytes += scalarBytes[p.value]
	}
	least := int64(bytes)
	if r.in.encoding == ascii {
		least = 2 * int64(len(e.properties)) // a digit and a blank
	}
	left := r.in.in.Size - r.in.in.Offset()
	cloud := importer.NewCloud(r.opts, min(e.count, left/max(1, least)))
	var v [slots]float64
	row := make([]byte, bytes)
	for done := int64(0); done < e.count; {
		n := int(min(batchPoints, e.count-done))
		batch := importer.Batch{Positions: make([][3]float64, 0, n)}
		if has[slotNX] && has[slotNY] && has[slotNZ] {
			batch.Normals = make([]geom.Vec3, 0, n)
		}
		if has[slotR] && has[slotG] && has[slotB] {
			batch.Colors = make([]geom.Vec4, 0, n)
		}
		v[slotA] = 1
		for range n {
			var err error
			if fixed {
				err = r.fixedRow(e, plan, row, &v)
			} else {
				err = r.row(e, plan, &v)
			}
			if err != nil {
				return nil, err
			}
			batch.Positions = append(batch.Positions, [3]float64{v[slotX], v[slotY], v[slotZ]})
			if batch.Normals != nil {
				batch.Normals = append(batch.Normals, geom.Vec3{float32(v[slotNX]), float32(v[slotNY]), float32(v[slotNZ])})
			}
			if batch.Colors != nil {
				batch.Colors = append(batch.Colors, geom.Vec4{float32(v[slotR]), float32(v[slotG]), float32(v[slotB]), float32(v[slotA])})
			}
		}
		if err := cloud.Append(batch); err != nil {
			return nil, err
		}
		done += int64(n)
	}
	return cloud, nil
}

// row reads a vertex value by value.
func (r *reader) row(e *element, plan []slot, v *[slots]float64) error {
	for i, p := range e.properties {
		x, err := r.value(p, nil)
		if err != nil {
			return err
		}
		v[plan[i]] = r.channel(plan[i], p.value, x)
	}
	return nil
}

// fixedRow reads a vertex of a binary file without lists.
func (r *reader) fixedRow(e *element, plan []slot, row []byte, v *[slots]float64) error {
	if _, err := io.ReadFull(r.in.in, row); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errEnd
		}
		return fmt.Errorf("byte %d: %w", r.in.in.Offset(), err)
	}
	order := r.in.order()
	for i, p := range e.properties {
		x := decode(p.value, order, row)
		row = row[scalarBytes[p.value]:]
		v[plan[i]] = r.channel(plan[i], p.value, x)
	}
	return nil
}

// channel is a value as the batch has it: colours as 0..1.
func (r *reader) channel(s slot, t scalar, x float64) float64 {
	if s < slotR || s > slotA {
		return x
	}
	return unit(t, x)
}
