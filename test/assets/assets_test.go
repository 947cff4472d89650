// Package assets proves that the importers read every model of the shared test files as they should, and that no hostile
// file crashes, hangs or fills the memory. It writes the table of docs/formats.md with -update. Tests only.
package assets

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/heliograph/heliograph/internal/importer/formats"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/testassets"
)

var update = flag.Bool("update", false, "write the table of docs/formats.md")

func TestMain(m *testing.M) {
	flag.Parse()
	if file := os.Getenv(childFile); file != "" {
		os.Exit(child(file))
	}
	os.Exit(m.Run())
}

// companions are files that are no models, by extension: parts of models, pictures to compare with, and what describes
// the others.
var companions = map[string]string{
	".bin": "buffer", ".png": "texture", ".jpg": "texture", ".jpeg": "texture", ".webp": "texture or golden picture", ".ktx2": "texture",
	".gif": "texture", ".hdr": "environment", ".mtl": "materials of OBJ", ".json": "validator's report or parameters", ".md": "text", ".tsv": "index",
	".stp": "STEP, which is no format of this service",
}

// TestAssets holds every file of the index against what is known of it.
func TestAssets(t *testing.T) {
	root := testassets.Root(t)
	expected := readTables(t)
	summary := &summary{}
	var valid, hostile []string
	for _, name := range index(t, root) {
		_, isModel := formats.Of(name)
		_, isCompanion := companions[strings.ToLower(path.Ext(name))]
		switch {
		case !isModel && !isCompanion:
			t.Errorf("%s: neither a model nor one of %d kinds of other files", name, len(companions))
		case !isModel:
		case strings.HasPrefix(name, "invalid/"):
			hostile = append(hostile, name)
		default:
			valid = append(valid, name)
		}
	}
	t.Run("valid", func(t *testing.T) {
		each(t, valid, func(t *testing.T, name string) { summary.add(name, checkValid(t, root, name, expected)) })
	})
	t.Run("hostile", func(t *testing.T) {
		each(t, hostile, func(t *testing.T, name string) { summary.add(name, checkHostile(t, root, name)) })
	})
	if t.Failed() {
		return
	}
	checkDocs(t, summary.table())
}

// each runs a subtest for every file, as many at once as there are processors.
func each(t *testing.T, files []string, check func(*testing.T, string)) {
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			check(t, name)
		})
	}
}

// index lists the files of INDEX.tsv, and wants them to be there.
func index(t *testing.T, root string) (names []string) {
	f, err := os.Open(filepath.Join(root, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // names of columns
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), "\t")
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || !strings.HasPrefix(rest, fmt.Sprintf("%d\t", info.Size())) {
			t.Errorf("%s is not as the index says: %v", name, err)
			continue
		}
		names = append(names, name)
	}
	if err := lines.Err(); err != nil || len(names) < 1400 {
		t.Fatalf("the index has %d files: %v", len(names), err)
	}
	return names
}

// outcome is what became of a file.
type outcome struct {
	Error             string
	Triangles, Points int64
}

// readTables joins the tables of all importers, which come from readings of the files that are independent of the
// importers, and one of this test: see the comments in them.
func readTables(t *testing.T) map[string]importertest.Row {
	tables, err := filepath.Glob("../../internal/importer/*/testdata/conformance.tsv")
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	all := map[string]importertest.Row{}
	for _, table := range append([]string{"testdata/fbx.tsv"}, tables...) {
		for _, row := range importertest.ReadTable(t, table) {
			all[row.File] = row
		}
	}
	return all
}

// checkValid imports a model in this process and compares it with its row.
func checkValid(t *testing.T, root, name string, expected map[string]importertest.Row) outcome {
	f, _ := formats.Of(name)
	m, err := importertest.File(t, f.Open, filepath.Join(root, name))
	if row, ok := expected[name]; ok {
		row.Check(t, m, err)
	} else {
		t.Error("no table says what it should be")
	}
	if err != nil {
		return outcome{Error: err.Error()}
	}
	if m.Source.Format == "" {
		t.Error("the model does not say what it was made from")
	}
	return outcome{Triangles: m.Triangles, Points: m.Points}
}

// summary counts what became of the files of each format.
type summary struct {
	mutex sync.Mutex
	rows  map[string]*row
}

type row struct {
	imported, refused       int
	triangles, points       int64
	hostile, hostileRefused int
}

func (s *summary) add(name string, o outcome) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	f, _ := formats.Of(name)
	if s.rows == nil {
		s.rows = map[string]*row{}
	}
	r := s.rows[f.Name]
	if r == nil {
		r = &row{}
		s.rows[f.Name] = r
	}
	refused := 0
	if o.Error != "" {
		refused = 1
	}
	if strings.HasPrefix(name, "invalid/") {
		r.hostile++
		r.hostileRefused += refused
		return
	}
	r.imported += 1 - refused
	r.refused += refused
	r.triangles += o.Triangles
	r.points += o.Points
}

// table is the summary as Markdown.
func (s *summary) table() string {
	var b strings.Builder
	b.WriteString("| Format | Models | Triangles | Points | Refused for a reason | Hostile files | of them refused |\n|---|--:|--:|--:|--:|--:|--:|\n")
	line := func(name string, r row) {
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %d | %d | %d |\n", name, r.imported, thousands(r.triangles), thousands(r.points), r.refused, r.hostile, r.hostileRefused)
	}
	var all row
	for _, f := range formats.All() {
		r := s.rows[f.Name]
		if r == nil {
			continue
		}
		line(f.Name, *r)
		all.imported += r.imported
		all.refused += r.refused
		all.triangles += r.triangles
		all.points += r.points
		all.hostile += r.hostile
		all.hostileRefused += r.hostileRefused
	}
	line("All", all)
	return b.String()
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// checkDocs wants the table in docs/formats.md, or puts it there.
func checkDocs(t *testing.T, table string) {
	const (
		file       = "../../docs/formats.md"
		begin, end = "<!-- written by go test ./test/assets -update -->\n", "<!-- end -->\n"
	)
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(doc, []byte(begin))
	now, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	if string(now) == table {
		return
	}
	if !*update {
		t.Errorf("%s is out of date: go test ./test/assets -update writes\n%s", file, table)
		return
	}
	if err := os.WriteFile(file, slices.Concat(before, []byte(begin), []byte(table), []byte(end), after), 0o644); err != nil {
		t.Fatal(err)
	}
}
