package importer

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// Import opens the main file for read, and makes what fails the answer of an import (see Error).
func Import(ctx context.Context, format string, src Source, opts Options, read func(*Stream) (*scene.Model, error)) (*scene.Model, error) {
	in, err := Open(ctx, src, opts)
	if err != nil {
		return nil, Error(ctx, format, src.Name, err)
	}
	defer in.Close()
	m, err := read(in)
	if err != nil {
		return nil, Error(ctx, format, src.Name, err)
	}
	return m, nil
}

// Error makes err the answer of an import: format and the name of the file go before it. An OverBudget has
// CodeBadRequest, an *arr.Error stays what it is, the end of ctx is its own error, and all else has
// CodeUnprocessableEntity.
func Error(ctx context.Context, format, name string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.As(err, new(*arr.Error)) {
		return err
	}
	code := arr.CodeUnprocessableEntity
	if errors.As(err, new(OverBudget)) {
		code = arr.CodeBadRequest
	}
	return arr.Errorf(code, "%s %q: %v", format, path.Base(name), err)
}

// TooManyTriangles is the error of a model that exceeds its triangle budget.
func TooManyTriangles(budget int64) error {
	return arr.Errorf(arr.CodeBadRequest, "The model has more than the %d triangles that this session may draw.", budget)
}

// Check compares what was read so far with the budgets.
func (o Options) Check(s *Soup) error {
	if n := int64(len(s.Corners) / 3); o.TriangleBudget > 0 && n > o.TriangleBudget {
		return TooManyTriangles(o.TriangleBudget)
	}
	if n := s.Bytes() - o.Memory(); n > 0 {
		return OverBudget(n)
	}
	return nil
}

// ModelName is the name of the main file without its folder and its extension.
func (s Source) ModelName() string { return strings.TrimSuffix(path.Base(s.Name), path.Ext(s.Name)) }

// Warnings collects what is told to the user, each text once.
type Warnings struct {
	list []string
	seen map[string]bool
}

// maxWarnings bounds what a file full of mistakes can say.
const maxWarnings = 100

// Add adds a text unless it is there.
func (w *Warnings) Add(text string) {
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	if len(w.list) < maxWarnings && !w.seen[text] {
		w.seen[text] = true
		w.list = append(w.list, text)
	}
}

// List returns the texts in order.
func (w *Warnings) List() []string {
	slices.Sort(w.list)
	return w.list
}

// Finish measures a model whose nodes and meshes are complete; it lists the roots and children by the nodes' parents.
func Finish(m *scene.Model) error {
	for i := range m.Nodes {
		if up := m.Nodes[i].Parent; up < 0 {
			m.Roots = append(m.Roots, i)
		} else {
			m.Nodes[up].Children = append(m.Nodes[up].Children, i)
		}
	}
	seen := map[*scene.Material]bool{}
	for _, mesh := range m.Meshes {
		mesh.Measure()
		for i := range mesh.Primitives {
			if p := &mesh.Primitives[i]; !seen[p.Material] {
				seen[p.Material] = true
				m.Materials = append(m.Materials, p.Material)
			}
		}
	}
	m.Measure()
	if size := m.Bounds.Size(); !m.Bounds.IsEmpty() && !Finite(size[:]...) {
		return errors.New("the model is too large for 32 bit coordinates")
	}
	return nil
}

// Node is a node without a transform of its own; parent -1 = a root, mesh -1 = none.
func Node(name string, parent, mesh int) scene.Node {
	return scene.Node{Name: name, Parent: parent, Local: geom.Identity(), Mesh: mesh}
}
