package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/heliograph/heliograph/"

// pkg is what the rules need of `go list -json`.
type pkg struct {
	ImportPath  string
	Dir         string
	Name        string
	GoFiles     []string
	CgoFiles    []string
	TestGoFiles []string
	Imports     []string
	Deps        []string
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Name,GoFiles,CgoFiles,TestGoFiles,Imports,Deps", "./...")
	cmd.Dir = root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// TestDependencyRules keeps the arrows of ARCHITECTURE.md.
func TestDependencyRules(t *testing.T) {
	rules := []struct {
		from string   // packages with this prefix (below the module) ...
		not  []string // ... must not depend on these prefixes, directly or not
		why  string
	}{
		{"internal/arr$", []string{module}, "the nouns know nobody"},
		{"internal/session$", []string{module + "internal/httpapi", module + "internal/store", module + "internal/backend", "database/sql", "net/http"},
			"the core knows no HTTP, no SQL and no process"},
		{"internal/scene$", []string{module + "internal/render", module + "internal/stream", "net/http"}, "what is drawn does not know who draws it"},
		{"internal/render", []string{module + "internal/stream", module + "internal/encode", module + "internal/session", "net/http"},
			"the renderer neither streams nor serves"},
		{"internal/importer", []string{module + "internal/render", module + "internal/stream", "net/http"}, "an importer reads files, nothing else"},
		{"internal/encode", []string{module + "internal/stream", module + "internal/render"}, "an encoder knows pictures only"},
		{"internal/stream$", []string{module + "internal/render", module + "internal/scene", module + "internal/session"}, "the stream moves bytes"},
		{"internal/mesh$", []string{module + "internal/render", module + "internal/asset"}, "clusters do not know who draws or stores them"},
		{"internal/asset", []string{module + "internal/render", module + "internal/importer", "net/http"}, "the container knows no source format and no host"},
		{"internal/converter$", []string{module + "internal/render", module + "internal/stream", "net/http"}, "a conversion uses no network"},
		{"internal/conversion$", []string{module + "internal/httpapi", module + "internal/store", module + "internal/importer", "database/sql", "net/http"},
			"the queue knows no HTTP, no SQL and no format"},
		{"internal/worker", []string{module + "internal/session", module + "internal/conversion", module + "internal/blob", module + "internal/httpapi", module + "internal/store", module + "internal/backend"},
			"a worker does not carry the control plane"},
		{"cmd/heliograph$", []string{module + "internal/render", module + "internal/encode", module + "internal/stream", module + "internal/importer",
			module + "internal/worker$"}, "the control plane builds without cgo on any laptop"},
		{"client$", []string{module + "internal/"}, "the public client stands alone"},
	}
	implementations := []string{"internal/store/", "internal/backend/", "internal/render/", "internal/importer/"}
	matches := func(path, prefix string) bool {
		if exact, ok := strings.CutSuffix(prefix, "$"); ok {
			return path == exact
		}
		return strings.HasPrefix(path, prefix)
	}
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, r := range rules {
			if !matches(name, r.from) {
				continue
			}
			for _, dep := range p.Deps {
				for _, not := range r.not {
					if matches(dep, not) && (not != module || dep != p.ImportPath) {
						t.Errorf("%s depends on %s: %s", name, dep, r.why)
					}
				}
			}
		}
		for _, dir := range implementations {
			if !strings.HasPrefix(name, dir) || strings.HasSuffix(name, "test") || name == "internal/importer/formats" {
				continue // a suite for all of them, and the table of all importers
			}
			for _, imp := range p.Imports {
				other := strings.TrimPrefix(imp, module)
				if strings.HasPrefix(other, dir) && !strings.HasPrefix(other, name) && !strings.HasPrefix(name, other) {
					t.Errorf("%s imports %s: implementations never import each other", name, other)
				}
			}
		}
		if len(p.CgoFiles) > 0 && !strings.HasPrefix(name, "internal/render/") && !strings.HasPrefix(name, "internal/encode/") &&
			name != "internal/machine" {
			t.Errorf("%s uses cgo, which only render, encode and machine may", name)
		}
	}
}

// TestPackagesIntroduceThemselves wants a package comment in every package.
func TestPackagesIntroduceThemselves(t *testing.T) {
	for _, p := range list(t) {
		files := slices.Concat(p.GoFiles, p.CgoFiles)
		if len(files) == 0 {
			files = p.TestGoFiles
		}
		documented := len(files) == 0
		for _, f := range files {
			src, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || src.Doc != nil || ast.IsGenerated(src)
		}
		if !documented {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// tracked returns the repository's files that git knows.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// TestLockFilesHoldNoAddresses keeps lock files usable behind any mirror.
func TestLockFilesHoldNoAddresses(t *testing.T) {
	for _, f := range tracked(t) {
		if filepath.Base(f) != "package-lock.json" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root(t), f))
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(data, []byte(`"resolved": "http`)); i >= 0 {
			t.Errorf("%s records a download address at byte %d; set omit-lockfile-registry-resolved in .npmrc", f, i)
		}
	}
}

// TestNoSleepInTests forbids waiting by the clock: wait for the event, or poll with a deadline.
func TestNoSleepInTests(t *testing.T) {
	sleep := regexp.MustCompile(`\btime\.Sleep\(`)
	for _, f := range tracked(t) {
		if !strings.HasSuffix(f, "_test.go") || strings.HasPrefix(f, "internal/house/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root(t), f))
		if err != nil {
			continue // deleted in the working tree
		}
		if strings.Contains(string(data), "testing/synctest") {
			continue // inside a synctest bubble a sleep takes no time
		}
		if sleep.Match(data) {
			t.Errorf("%s sleeps", f)
		}
	}
}

// TestMarkdownLinks checks that relative links in the documents lead somewhere.
func TestMarkdownLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	for _, f := range tracked(t) {
		if !strings.HasSuffix(f, ".md") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root(t), f))
		if err != nil {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			target := m[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root(t), filepath.Dir(f), target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", f, target)
			}
		}
	}
}
