package child

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// The codes of notes. 4004 and 2007 are those of Azure Remote Rendering, whose full list was never public; the others are
// Heliograph's own, from 9000 on so that they are not taken for one of its.
const (
	CodeMissingTexture = "4004"
	CodeInvalidInput   = "2007"

	CodeNoInput          = "9001"
	CodeUnknownFormat    = "9002"
	CodeInvalidSettings  = "9003"
	CodeInvalidOverrides = "9004"
	CodeResources        = "9005"
	CodeOutput           = "9006"
	CodeCrash            = "9007"

	CodeImport        = "9101" // the importer left something out
	CodeDeprecated    = "9102"
	CodeMaterialLimit = "9103"
	CodeCollapsed     = "9104" // sceneGraphMode none took something that a single object cannot have
	CodeNothing       = "9105" // the asset shows nothing
)

// Note is a warning or an error of a conversion, as result.json has it.
type Note struct {
	Code     string   `json:"code"`
	Title    string   `json:"title"`
	Details  []Detail `json:"details,omitempty"`
	Internal bool     `json:"internal,omitempty"` // the software is at fault, not the input
}

// Detail is one fact of a note.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Text is the note as a sentence for people.
func (n Note) Text() string {
	title, end := strings.TrimSuffix(n.Title, "."), ""
	if title != n.Title {
		end = "."
	}
	if len(n.Details) == 0 {
		return n.Title
	}
	var details []string
	for _, d := range n.Details {
		value := strings.TrimSuffix(d.Value, ".")
		if len(n.Details) > 1 {
			value = d.Name + " " + value
		}
		details = append(details, value)
	}
	return title + " (" + strings.Join(details, ", ") + ")" + end
}

// Report is the content of result.json (ARR, "Get information about conversions").
type Report struct {
	ConversionID string // "" = none
	Warnings     []Note
	Error        *Note // nil = it succeeded
}

// MarshalJSON writes ARR's shape: a list of objects, of which the last has the result.
func (r Report) MarshalJSON() ([]byte, error) {
	var items []string
	if r.ConversionID != "" {
		items = append(items, object(member{"conversionId", r.ConversionID}))
	}
	for _, n := range r.Warnings {
		items = append(items, n.object("warning"))
	}
	result := "succeeded"
	switch {
	case r.Error != nil:
		result = "failed"
		items = append(items, r.Error.object("error"))
	case len(r.Warnings) > 0:
		result = "succeeded with warnings"
	}
	items = append(items, object(member{"result", result}))
	return []byte("[" + strings.Join(items, ",") + "]"), nil
}

func (n Note) object(kind string) string {
	if n.Internal {
		kind = "internal " + kind
	}
	details := make([]member, len(n.Details))
	for i, d := range n.Details {
		details[i] = member{d.Name, d.Value}
	}
	return object(member{kind, n.Code}, member{"title", n.Title}, member{"details", json.RawMessage(object(details...))})
}

type member struct {
	name  string
	value any
}

// object is a JSON object whose members keep their order.
func object(members ...member) string {
	var parts []string
	for _, m := range members {
		parts = append(parts, marshal(m.name)+":"+marshal(m.value))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// marshal writes strings as they are: result.json is no HTML. Strings and valid JSON always marshal.
func marshal(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return strings.TrimSpace(b.String())
}

// Info is the content of info.json (ARR, "Get information about conversions").
type Info struct {
	Files              Files               `json:"files"`
	ConversionSettings json.RawMessage     `json:"conversionSettings"` // as given, {} = none
	InputInfo          *InputInfo          `json:"inputInfo,omitempty"`
	InputStatistics    *InputStatistics    `json:"inputStatistics,omitempty"`
	MaterialOverrides  *OverrideStatistics `json:"materialOverrides,omitempty"`
	OutputInfo         *OutputInfo         `json:"outputInfo,omitempty"`
	OutputStatistics   *OutputStatistics   `json:"outputStatistics,omitempty"`
}

// Files names what was converted.
type Files struct {
	Input  string `json:"input"`
	Output string `json:"output,omitempty"` // where it is not named after the input
}

// InputInfo describes the source file.
type InputInfo struct {
	Extension     string `json:"sourceAssetExtension"`
	Format        string `json:"sourceAssetFormat"`
	FormatVersion string `json:"sourceAssetFormatVersion"`
	Generator     string `json:"sourceAssetGenerator"`
}

// InputStatistics counts what the source has. A mesh is here a part with one material.
type InputStatistics struct {
	Meshes        int   `json:"numMeshes"`
	Faces         int64 `json:"numFaces"`
	Vertices      int64 `json:"numVertices"`
	Materials     int   `json:"numMaterial"`
	FacesSmallest int64 `json:"numFacesSmallestMesh"`
	FacesBiggest  int64 `json:"numFacesBiggestMesh"`
	Nodes         int   `json:"numNodes"`
	MeshUsages    int   `json:"numMeshUsagesInScene"`
	MaxNodeDepth  int   `json:"maxNodeDepth"`
	Textures      int   `json:"numTextures"`
}

// OverrideStatistics counts what MaterialOverrides.json did.
type OverrideStatistics struct {
	Overrides int `json:"numOverrides"`
	Materials int `json:"numOverriddenMaterials"`
}

// OutputInfo describes the asset.
type OutputInfo struct {
	ToolVersion string `json:"conversionToolVersion"`
	Hash        string `json:"conversionHash"`
}

// OutputStatistics counts what the asset has.
type OutputStatistics struct {
	PartsCreated      int         `json:"numMeshPartsCreated"`   // as placed in the scene
	PartsInstanced    int         `json:"numMeshPartsInstanced"` // of them, those that share their mesh with another
	Materials         int         `json:"numMaterials"`
	PrimitivesInScene int64       `json:"numPrimitivesInScene"` // triangles and points, once for each node that shows them; not in ARR
	RecenteringOffset [3]float32  `json:"recenteringOffset"`
	BoundingBox       BoundingBox `json:"boundingBox"`
}

// BoundingBox is that of the asset.
type BoundingBox struct {
	Min [3]float32 `json:"min"`
	Max [3]float32 `json:"max"`
}

// WriteInfo and WriteReport write the files of a job, each at once or not at all, and return the file's name.
func WriteInfo(j Job, i Info) (string, error) {
	if i.ConversionSettings == nil {
		i.ConversionSettings = json.RawMessage("{}")
	}
	return writeJSON(j.OutputDir, j.OutputName+InfoSuffix, i)
}

// WriteReport is as WriteInfo.
func WriteReport(j Job, r Report) (string, error) {
	r.ConversionID = j.ID
	return writeJSON(j.OutputDir, j.OutputName+ResultSuffix, r)
}

func writeJSON(dir, name string, v any) (_ string, err error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, ".*"+name)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text.Bytes())
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return "", err
	}
	return name, os.Rename(f.Name(), filepath.Join(dir, name))
}
