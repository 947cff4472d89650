package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/workerbinary"
)

type assetCmd struct {
	Info   assetInfoCmd   `cmd:"" help:"Print what is in an asset."`
	Verify assetVerifyCmd `cmd:"" help:"Read a whole asset and check every checksum, page and texture."`
}

type assetInfoCmd struct {
	File string `arg:"" help:"The asset."`

	JSON      bool   `name:"json" help:"Print it as JSON, with the offset of every section and the echo of the settings."`
	Thumbnail string `placeholder:"FILE" help:"Also draw it into this PNG file, with heliograph-worker."`

	WorkerBinary string `byenv:"" placeholder:"FILE" help:"The program heliograph-worker; by default beside this one, then in PATH."`
}

func (assetInfoCmd) Help() string {
	return `It reads the tables only, which takes the same short time whatever the asset's size.

    heliograph asset info engine.arrAsset
    heliograph asset info engine.arrAsset --thumbnail engine.png
    heliograph asset info engine.arrAsset --json | jq .conversionHash

docs/asset-format.md describes the format.
`
}

func (c *assetInfoCmd) Run(ctx context.Context, a *app) error {
	f, err := asset.OpenFile(c.File)
	if err != nil {
		return err
	}
	info := f.Info()
	if err := f.Close(); err != nil {
		return err
	}
	if c.Thumbnail != "" {
		if err := c.draw(ctx); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(a.stdout, info)
	}
	return table(a.stdout, assetRows(info)...)
}

// draw has the worker draw the thumbnail: this program has no renderer.
func (c *assetInfoCmd) draw(ctx context.Context) error {
	binary, err := workerbinary.Find(c.WorkerBinary)
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "thumbnail", "--", c.File, c.Thumbnail)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the thumbnail could not be drawn: %w\n%s", err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// assetRows is the table for people.
func assetRows(i asset.Info) [][]string {
	c := i.Counts
	rows := [][]string{{"Asset", i.Name}, {"Source", sourceText(i)}}
	if i.Generator != "" {
		rows = append(rows, []string{"Made by", i.Generator})
	}
	rows = append(rows, []string{"Conversion hash", i.ConversionHash}, []string{"Size", sizeText(i)})
	if c.Triangles+c.Points > 0 {
		rows = append(rows, []string{"Bounds", boundsText(i.Bounds)})
	}
	if c.Triangles > 0 {
		rows = append(rows, []string{"Triangles", instanced(c.Triangles, c.StoredTriangles)})
	}
	if c.Points > 0 {
		rows = append(rows, []string{"Points", instanced(c.Points, c.StoredPoints)})
	}
	rows = append(rows,
		[]string{"Geometry", fmt.Sprintf("%s of %s, %s of them different; drawn by %s",
			count(c.Meshes, "mesh", "meshes"), count(c.Primitives, "part"), thousands(int64(c.Geometries)), count(c.MeshInstances, "node"))},
		[]string{"Detail", fmt.Sprintf("%s, %s in %s",
			count(i.Levels, "level"), count(c.Clusters, "cluster"), count(c.Groups, "group"))},
		[]string{"Pages", pagesText(i)},
		[]string{"Scene", fmt.Sprintf("%s with %s of metadata, %s, %s", count(c.Nodes, "node"),
			count(c.MetadataEntries, "entry", "entries"), count(c.Materials, "material"), count(c.Variants, "variant"))})
	if c.Skins+c.Animations+c.Deforming > 0 {
		rows = append(rows, []string{"Motion", fmt.Sprintf("%s, %s, %s of changing shape",
			count(c.Animations, "animation"), count(c.Skins, "skin"), count(c.Deforming, "part"))})
	}
	if c.CollisionMeshes > 0 {
		rows = append(rows, []string{"Collision", count(c.CollisionMeshes, "mesh", "meshes")})
	}
	for k, t := range i.Textures {
		label := ""
		if k == 0 {
			label = "Textures"
		}
		if k == mostTextures {
			rows = append(rows, []string{label, fmt.Sprintf("and %d more", len(i.Textures)-k)})
			break
		}
		rows = append(rows, []string{label, fmt.Sprintf("%d x %d %s, %s, %s  %s",
			t.Width, t.Height, t.Format, count(t.Levels, "mip"), child.Bytes(t.Bytes), t.Name)})
	}
	for k, w := range i.Warnings {
		label := ""
		if k == 0 {
			label = "Warnings"
		}
		rows = append(rows, []string{label, w})
	}
	return rows
}

// boundsText says where the model is. What is nothing beside the size is shown as zero: an asset's grid rounds zero, too.
func boundsText(b geom.AABB) string {
	size := b.Size()
	least := max(size[0], size[1], size[2]) * 1e-6
	text := func(v float32) string {
		if v > -least && v < least {
			v = 0
		}
		return strconv.FormatFloat(float64(v), 'g', 4, 32)
	}
	return fmt.Sprintf("%s x %s x %s m, from %s %s %s",
		text(size[0]), text(size[1]), text(size[2]), text(b.Min[0]), text(b.Min[1]), text(b.Min[2]))
}

// mostTextures is how many textures the table lists.
const mostTextures = 20

func sourceText(i asset.Info) string {
	s := strings.TrimSpace(i.Source.Format)
	if v := i.Source.FormatVersion; v != "" && !strings.Contains(s, v) {
		s += " " + v
	}
	if i.Source.Generator != "" {
		s += ", written by " + i.Source.Generator
	}
	return s
}

// sizeText says how large the file is, and what takes the most of it.
func sizeText(i asset.Info) string {
	var rest, textures int64
	for _, s := range i.Sections {
		switch {
		case strings.HasSuffix(s.Name, "pages"):
		case strings.HasSuffix(s.Name, "mips"):
			textures += s.Bytes
		default:
			rest += s.Bytes
		}
	}
	return fmt.Sprintf("%s: pages %s, textures %s, the rest %s",
		child.Bytes(i.Bytes), child.Bytes(i.Pages.Bytes), child.Bytes(textures), child.Bytes(rest))
}

func instanced(total, stored int64) string {
	if total == stored {
		return thousands(total)
	}
	return fmt.Sprintf("%s, by instances of %s", thousands(total), thousands(stored))
}

func pagesText(i asset.Info) string {
	p := i.Pages
	s := fmt.Sprintf("%s, %s of them roots with %s", thousands(int64(p.Count)), thousands(int64(p.Roots)), child.Bytes(p.RootBytes))
	if n := i.Counts.StoredTriangles + i.Counts.StoredPoints; n > 0 && p.Bytes > 0 {
		s += fmt.Sprintf("; %.1f bytes for each triangle or point, %.1f before compression",
			float64(p.Bytes)/float64(n), float64(p.RawBytes)/float64(n))
	}
	return s
}

type assetVerifyCmd struct {
	File string `arg:"" help:"The asset."`
}

func (assetVerifyCmd) Help() string {
	return `The exit code is 0 if the asset is sound, else 1, with a line that says what is wrong.

    heliograph asset verify engine.arrAsset
`
}

func (c *assetVerifyCmd) Run(ctx context.Context, a *app) error {
	f, err := asset.OpenFile(c.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := f.Verify(ctx); err != nil {
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s is sound: %s, %s.\n", c.File, child.Bytes(info.Size()), count(len(f.Pages()), "page"))
	return err
}
