package fbx

import (
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

type textureLayer struct{}

func (b *builder) textureLayers() ([]textureLayer, error) { return nil, nil }
func (l *loader) light(m *placed)                         {}
func (l *loader) materialsOf(m *placed, g *object, s *surface) (func(int) *scene.Material, string) {
	mat := importer.PlainMaterial(s.colored)
	return func(int) *scene.Material { return mat }, ""
}
func (l *loader) source() scene.SourceInfo { return scene.SourceInfo{} }
