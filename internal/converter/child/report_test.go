package child

import (
	"os"
	"path/filepath"
	"testing"
)

// TestReport compares with the example of ARR's documentation, white space aside.
func TestReport(t *testing.T) {
	j := Job{ID: "i", OutputDir: t.TempDir(), OutputName: "buggy"}
	missing := Note{Code: CodeMissingTexture, Title: "Missing texture", Details: []Detail{{"texture", "a&b.png"}, {"material", "<m>"}}}
	broken := Note{Code: CodeInvalidInput, Title: "The input asset is not valid.", Details: []Detail{{"import error", "line 1"}}}
	for _, c := range []struct {
		id   string
		r    Report
		want string
	}{
		{"", Report{}, "[\n  {\n    \"result\": \"succeeded\"\n  }\n]\n"},
		{"i", Report{Warnings: []Note{missing}}, `[
  {
    "conversionId": "i"
  },
  {
    "warning": "4004",
    "title": "Missing texture",
    "details": {
      "texture": "a&b.png",
      "material": "<m>"
    }
  },
  {
    "result": "succeeded with warnings"
  }
]
`},
		{"", Report{Error: &broken}, `[
  {
    "error": "2007",
    "title": "The input asset is not valid.",
    "details": {
      "import error": "line 1"
    }
  },
  {
    "result": "failed"
  }
]
`},
		{"", Report{Error: &Note{Code: CodeCrash, Title: "x", Internal: true}}, `[
  {
    "internal error": "9007",
    "title": "x",
    "details": {}
  },
  {
    "result": "failed"
  }
]
`},
	} {
		j.ID = c.id
		name, err := WriteReport(j, c.r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(j.OutputDir, name))
		if err != nil || name != "buggy.result.json" || string(text) != c.want {
			t.Errorf("%s, %v: %s", name, err, text)
		}
	}
}

func TestNoteText(t *testing.T) {
	for want, n := range map[string]Note{
		"a.":           {Title: "a."},
		"a (v)":        {Title: "a", Details: []Detail{{"n", "v."}}},
		"a (n v, m w)": {Title: "a", Details: []Detail{{"n", "v"}, {"m", "w"}}},
		"A. B (3 kg).": {Title: "A. B.", Details: []Detail{{"n", "3 kg"}}},
	} {
		if got := n.Text(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1 << 10: "1 KiB", 1500 << 10: "1.46 MiB", 24 << 30: "24 GiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestJobRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "job.json")
	if err := os.WriteFile(file, []byte(`{"inputDir": "/in", "inputFile": "a/b.c.glb", "outputDir": "/out"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := ReadJob(file)
	if err != nil || j.OutputName != "b.c" {
		t.Errorf("%+v, %v", j, err)
	}
	if err := os.WriteFile(file, []byte(`{`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadJob(file); err == nil {
		t.Error("half a job was read")
	}
}
