// Package child runs one conversion in a process of its own, with limits: it is both ends of that, of whoever wants a
// conversion (Run) and of the process that does it (Confine, Reporter), and the nouns between them. It is pure Go, and knows
// no format: it is linked into the control plane and the command line.
package child

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// Job is one conversion.
type Job struct {
	ID         string `json:"id,omitempty"` // names the conversion in result.json; "" = none
	InputDir   string `json:"inputDir"`     // everything below may be read, and nothing else
	InputFile  string `json:"inputFile"`    // of the model: a slash-separated path below InputDir
	OutputDir  string `json:"outputDir"`    // is made if it is not there
	OutputName string `json:"outputName"`   // of the outputs, without extension; "" = that of the model

	Settings  *File `json:"settings,omitempty"`  // instead of the ConversionSettings.json beside the model
	Overrides *File `json:"overrides,omitempty"` // instead of the MaterialOverrides.json beside the model

	Limits  Limits `json:"limits"`
	Threads int    `json:"threads,omitempty"` // 0 = one a core
	Check   bool   `json:"check,omitempty"`   // look at the settings and for the model, convert nothing, write nothing

	// WorkDir is a directory on OutputDir's file system for outputs that are not complete yet. Run makes and removes it.
	WorkDir string `json:"workDir,omitempty"`
}

// File is the content of a file, with the name that messages call it by.
type File struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// Limits bound what a conversion may take; 0 = no limit.
type Limits struct {
	Memory   int64         `json:"memory,omitempty"`   // bytes, without files that are mapped; may be exceeded for a moment, at most twofold
	CPU      time.Duration `json:"cpu,omitempty"`      // of all threads together; whole seconds
	FileSize int64         `json:"fileSize,omitempty"` // bytes of the largest file that is written
	Wall     time.Duration `json:"wall,omitempty"`     // from start to end
}

// Normalize checks the names of a job and fills in OutputName.
func (j *Job) Normalize() error {
	if !fs.ValidPath(j.InputFile) || j.InputFile == "." {
		return arr.Errorf(arr.CodeBadRequest, "The input %q is not a path below its folder.", j.InputFile)
	}
	if j.OutputName == "" {
		j.OutputName = Stem(j.InputFile)
	}
	if n := j.OutputName; strings.ContainsAny(n, `/\`+"\x00") || n == "." || n == ".." || n == "" {
		return arr.Errorf(arr.CodeBadRequest, "The output's name %q is not the name of a file.", n)
	}
	return nil
}

// Stem is the name of a file without folder and extension: settings are found by it, and outputs get it.
func Stem(name string) string {
	base := path.Base(name)
	return strings.TrimSuffix(base, path.Ext(base))
}

// The names of a conversion's outputs, after Job.OutputName.
const (
	AssetSuffix  = arr.AssetExtension
	InfoSuffix   = ".info.json"
	ResultSuffix = ".result.json"
)

// outputs are the names of all files that a conversion may write.
func (j Job) outputs() []string {
	return []string{j.OutputName + AssetSuffix, j.OutputName + InfoSuffix, j.OutputName + ResultSuffix}
}

// ReadJob reads the file that Run wrote.
func ReadJob(file string) (Job, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Job{}, err
	}
	var j Job
	if err := json.Unmarshal(text, &j); err != nil {
		return Job{}, fmt.Errorf("%s: %w", file, err)
	}
	return j, j.Normalize()
}

// Progress says how far a conversion has come.
type Progress struct {
	Stage     string  `json:"stage"`          // one of the stages below
	StageDone float64 `json:"stageDone"`      // 0..1
	Done      float64 `json:"done"`           // of the whole, 0..1: an estimate
	Rate      float64 `json:"rate,omitempty"` // Units a second, of this stage; 0 = unknown
	Unit      string  `json:"unit,omitempty"` // "bytes" or "triangles"
}

// The stages of a conversion, in their order.
const (
	StageRead     = "read"     // the source file, and what it refers to
	StagePrepare  = "prepare"  // settings and overrides are applied
	StageMeshes   = "meshes"   // the hierarchies of clusters are built
	StageTextures = "textures" // are compressed
	StageWrite    = "write"    // the files are completed
)

// Kind is what a conversion failed for.
type Kind string

// The kinds of failures.
const (
	KindInput     Kind = "input"     // the source model is not there, not understood or not valid
	KindSettings  Kind = "settings"  // the settings or the overrides are not valid
	KindResources Kind = "resources" // a limit was exceeded
	KindOutput    Kind = "output"    // the outputs could not be written
	KindCrash     Kind = "crash"     // the process ended without saying why; another try may help
)

// Result is what came of a conversion.
type Result struct {
	Succeeded bool       `json:"succeeded"`
	Kind      Kind       `json:"kind,omitempty"`  // "" = Succeeded
	Error     *arr.Error `json:"error,omitempty"` // for the user; nil = Succeeded
	Warnings  []Note     `json:"warnings,omitempty"`
	Outputs   []string   `json:"outputs,omitempty"` // names of the files that were written to OutputDir

	Summary Summary `json:"summary"`
}

// Summary is what was made, for people. Of a failure it has what is known.
type Summary struct {
	Triangles   int64   `json:"triangles"`  // of the source
	Points      int64   `json:"points"`     // of the source
	Primitives  int64   `json:"primitives"` // triangles and points as drawn: once for each node that shows them
	Nodes       int     `json:"nodes"`
	Materials   int     `json:"materials"`
	Textures    int     `json:"textures"`
	SourceBytes int64   `json:"sourceBytes"` // of the source file and what it refers to
	AssetBytes  int64   `json:"assetBytes"`
	Geometry    int64   `json:"geometryBytes"` // of AssetBytes
	Hash        string  `json:"hash"`          // conversionHash
	Seconds     float64 `json:"seconds"`
}

// message is a line that the process writes to its standard output: one of the members.
type message struct {
	Progress *Progress `json:"progress,omitempty"`
	Result   *Result   `json:"result,omitempty"`
}
