package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const example = "../../deploy/heliograph.yaml"

func noEnv(string) string { return "" }

func TestExampleEqualsDefaults(t *testing.T) {
	got, err := Load(Config{}, example, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("deploy/heliograph.yaml differs from Default (-default +file):\n%s", diff)
	}
}

// The example must also name every key, else a key whose default is the zero value could be missing unnoticed.
func TestExampleNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var c Config
	walk(reflect.ValueOf(&c).Elem(), "", func(path string, _ reflect.Value) {
		var at any = doc
		for key := range strings.SplitSeq(path, ".") {
			m, _ := at.(map[string]any)
			var ok bool
			if at, ok = m[key]; !ok {
				t.Errorf("deploy/heliograph.yaml does not have %s", path)
				return
			}
		}
	})
}

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func load(t *testing.T, text string, env map[string]string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Default(), path, func(k string) string { return env[k] })
	if err == nil {
		err = c.Validate()
	}
	return c, err
}

func TestFileThenEnvironment(t *testing.T) {
	c, err := load(t, "dataDir: /a\nworker:\n  portMin: 50000\n  modelRoots: [/m]\n", map[string]string{
		"HELIOGRAPH_DATA_DIR":                        "/b",
		"HELIOGRAPH_RETENTION":                       "1h",
		"HELIOGRAPH_RATE_LIMIT_PER_SECOND":           "2.5",
		"HELIOGRAPH_WORKER_MODEL_HOSTS":              "a.example, b.example",
		"HELIOGRAPH_SIZES_STANDARD_MEMORY_LIMIT_MIB": "512",
		"HELIOGRAPH_SIZES_PREMIUM_MAX_SESSIONS":      "3",
		"HELIOGRAPH_EXTERNAL_URL":                    "https://arr.example.com",
		"HELIOGRAPH_WORKER_BIND_IP":                  "2001:db8::1",
		"HELIOGRAPH_WORKER_PUBLIC_IP":                "2001:db8::2",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.DataDir = "/b" // the environment wins
	want.Retention = time.Hour
	want.RateLimit.PerSecond = 2.5
	want.Worker.PortMin = 50000
	want.Worker.ModelRoots = []string{"/m"}
	want.Worker.ModelHosts = []string{"a.example", "b.example"}
	want.Worker.BindIP, want.Worker.PublicIP = "2001:db8::1", "2001:db8::2"
	want.Sizes.Standard.MemoryLimitMiB = 512
	want.Sizes.Premium.MaxSessions = 3
	want.ExternalURL = "https://arr.example.com"
	if diff := cmp.Diff(want, c, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyFile(t *testing.T) {
	c, err := load(t, "# nothing\n", nil)
	if err != nil || c.Listen != Default().Listen {
		t.Errorf("got %v, %v", c.Listen, err)
	}
}

func TestEveryKeyHasItsOwnVariableAndTextForm(t *testing.T) {
	seen := map[string]string{}
	var c Config
	walk(reflect.ValueOf(&c).Elem(), "", func(path string, v reflect.Value) {
		name := EnvName(path)
		if other, ok := seen[name]; ok {
			t.Errorf("%s and %s share %s", path, other, name)
		}
		seen[name] = path
		text := map[reflect.Kind]string{reflect.String: "x", reflect.Slice: "x,y"}[v.Kind()]
		if v.Type() == reflect.TypeFor[time.Duration]() {
			text = "7s"
		} else if v.Type() == reflect.TypeFor[[]AzureAccount]() {
			text = "[{name: x, key: y}]"
		} else if v.Type() == reflect.TypeFor[[]Reservation]() {
			text = "[{uri: x, accounts: [y, z]}]"
		} else if v.Kind() == reflect.Bool {
			text = "true"
		} else if text == "" {
			text = "7"
		}
		if err := set(v, text); err != nil || v.IsZero() {
			t.Errorf("set %s: %v, value %v", path, err, v)
		}
	})
}

func TestMistakesAreNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		env  map[string]string
		want []string
	}{
		"unknown key":        {text: "dataDir: /a\nworkr:\n  x: 1\n", want: []string{"[2:1]", `unknown field "workr"`}},
		"unknown nested key": {text: "worker:\n  portMim: 1\n", want: []string{"[2:3]", `unknown field "portMim"`}},
		"duplicate key":      {text: "dataDir: /a\ndataDir: /b\n", want: []string{"[2:1]", "dataDir"}},
		"wrong type":         {text: "worker:\n  portMin: many\n", want: []string{"[2:12]"}},
		"bad variable":       {env: map[string]string{"HELIOGRAPH_WORKER_PORT_MIN": "x"}, want: []string{"HELIOGRAPH_WORKER_PORT_MIN"}},
		"public loopback":    {text: "worker: {publicIP: 203.0.113.7}\n", want: []string{"worker.publicIP:", "127.0.0.1"}},
		"public for all":     {text: "worker: {publicIP: 203.0.113.7, bindIP: 0.0.0.0}\n", want: []string{"worker.publicIP:"}},
		"other family":       {text: "worker: {publicIP: 203.0.113.7, bindIP: 2001:db8::1}\n", want: []string{"worker.publicIP:"}},
		"public name":        {text: "worker: {publicIP: arr.example.com, bindIP: 192.0.2.1}\n", want: []string{"worker.publicIP:"}},
		"public plain HTTP":  {text: "listen: 0.0.0.0:80\n", want: []string{"listen:", "tls.certFile", "externalURL"}},
		"public dashboard":   {text: "dashboardListen: :80\n", want: []string{"dashboardListen:", "clear text"}},
		"one of two files":   {text: "tls: {certFile: a}\n", want: []string{"tls: certFile and keyFile"}},
		"no URL":             {text: "externalURL: arr.example.com\n", want: []string{"externalURL:"}},
		"URL with query":     {text: "externalURL: https://a/?b=c\n", want: []string{"externalURL:"}},
		"bad cors":           {text: "cors: {allowedOrigins: [example.com]}\n", want: []string{"cors.allowedOrigins:"}},
		"ports":              {text: "worker: {portMin: 80}\n", want: []string{"worker.portMin", "49152..65534"}},
		"orphan too soon":    {text: "worker: {orphanAfter: 1s}\n", want: []string{"worker.orphanAfter"}},
		"no conversions":     {text: "conversion: {maxRunning: 0}\n", want: []string{"conversion.maxRunning:"}},
		"nameless account":   {text: "storage: {azure: {accounts: [{key: x}]}}\n", want: []string{"storage.azure.accounts[0].name:"}},
		"key and identity": {env: map[string]string{"HELIOGRAPH_STORAGE_AZURE_ACCOUNTS": "[{name: a, key: x, identity: true}]"},
			want: []string{"storage.azure.accounts[0]: key and identity"}},
		"accounts as a list": {env: map[string]string{"HELIOGRAPH_STORAGE_AZURE_ACCOUNTS": "a=b"},
			want: []string{"HELIOGRAPH_STORAGE_AZURE_ACCOUNTS: not a YAML list of accounts"}},
		"two at once": {text: "startTimeout: 0s\nlog: {level: loud}\n", want: []string{"startTimeout:", "log.level:"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tc.text, tc.env)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestSecretsStayHidden(t *testing.T) {
	c, err := load(t, "storage: {azure: {accounts: [{name: a, key: hush1}]}, s3: {accessKeyID: k, secretAccessKey: hush2}}\n",
		map[string]string{"HELIOGRAPH_STORAGE_S3_SESSION_TOKEN": "hush3"})
	if err != nil {
		t.Fatal(err)
	}
	s := c.Storage
	if s.Azure.Accounts[0].Key.Reveal() != "hush1" || s.S3.SecretAccessKey.Reveal() != "hush2" || s.S3.SessionToken.Reveal() != "hush3" {
		t.Error("the secrets are not what was set")
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "key", c.Storage.Azure.Accounts[0].Key)
	all := fmt.Sprintf("%s %v %+v %#v %s", text, c, c, c, log.String())
	if strings.Contains(all, "hush") || strings.Count(string(text), "redacted") != 3 {
		t.Error(all)
	}
	for text, want := range map[string]string{`"a\"b"`: `a"b`, `'it''s'`: "it's", "a+b/c==": "a+b/c==", "12345": "12345", "|-\n      x: y": "x: y", `""`: ""} {
		c, err := load(t, "storage:\n  s3:\n    secretAccessKey: "+text+"\n", nil)
		if err != nil || c.Storage.S3.SecretAccessKey.Reveal() != want {
			t.Errorf("%s is read as %q, %v", text, c.Storage.S3.SecretAccessKey.Reveal(), err)
		}
	}
	_, err = load(t, "", map[string]string{"HELIOGRAPH_STORAGE_AZURE_ACCOUNTS": "[{name: a, kez: hush}]"})
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Error(err)
	}
}
