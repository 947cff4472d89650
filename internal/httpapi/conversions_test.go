package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
	"github.com/heliograph/heliograph/internal/token"
)

const conversionBody = `{"settings":{"inputLocation":{"storageContainerUri":"https://a.example/in","blobPrefix":"Input",` +
	`"relativeInputAssetPath":"box.fbx","storageContainerReadListSas":"?sig=hush"},"outputLocation":{"storageContainerUri":` +
	`"https://a.example/out","blobPrefix":"Output","storageContainerWriteSas":"sig=hush2"}}}`

func TestCreateConversion(t *testing.T) {
	h := start(t, nil)
	a := h.do("PUT", converted("c")+version, conversionBody)
	wantStatus(t, a, 201)
	const shown = `"settings":{"inputLocation":{"storageContainerUri":"https://a.example/in","blobPrefix":"Input/",` +
		`"relativeInputAssetPath":"box.fbx"},"outputLocation":{"storageContainerUri":"https://a.example/out","blobPrefix":"Output/",` +
		`"outputAssetFilename":"box.arrAsset"}},`
	created := h.convert.all[0].CreatedAt.UTC().Format(conversionTime)
	want := fmt.Sprintf(`{"id":"c","creationTime":%q,%s"error":null,"status":"NotStarted"}`, created, shown)
	if diff := cmp.Diff(want+"\n", a.body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if !strings.HasSuffix(created, "Z") {
		t.Errorf("creationTime %s", created)
	}
	for name, want := range map[string]string{
		"Content-Type": jsonType, "Content-Length": fmt.Sprint(len(a.body)), "Api-Supported-Versions": "2021-01-01-preview, 2021-01-01",
		"Cache-Control": "", "Location": "", "Retry-After": "",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got, want := h.convert.secrets[0], (conversion.Credentials{Input: "?sig=hush", Output: "sig=hush2"}); got != want {
		t.Errorf("the core got other credentials")
	}
	again := h.do("PUT", converted("c")+version, strings.Replace(conversionBody, "hush", "other", 1))
	wantStatus(t, again, 200)
	if again.body != a.body {
		t.Errorf("the repeated request answers %s", again.body)
	}
	wantError(t, h.do("PUT", converted("c")+version, strings.Replace(conversionBody, "box.fbx", "b.fbx", 1)), 409, arr.CodeConflict,
		"A resource already exists under the given ID.")
	wantStatus(t, h.do("PUT", converted("C")+version, conversionBody), 201) // ids are case-sensitive
	if log := h.log.String(); strings.Contains(log, "hush") || strings.Contains(a.body+again.body, "hush") {
		t.Errorf("a signature is shown:\n%s%s", log, a.body)
	}
}

func TestCreateConversionAccepts(t *testing.T) {
	h := start(t, nil)
	f := func(body string, want arr.ConversionSettings) {
		t.Helper()
		id := fmt.Sprint("c", len(h.convert.all))
		wantStatus(t, h.do("PUT", converted(id)+version, body), 201)
		if got := h.convert.all[len(h.convert.all)-1].Settings; got != want {
			t.Errorf("%s made %+v", body, got)
		}
	}
	plain := arr.ConversionSettings{
		Input:  arr.InputLocation{ContainerURI: "file:///in", AssetPath: "a.glb"},
		Output: arr.OutputLocation{ContainerURI: "file:///out", AssetFilename: "a.arrAsset"},
	}
	f(`{"settings":{"inputLocation":{"storageContainerUri":"file:///in","relativeInputAssetPath":"a.glb"},`+
		`"outputLocation":{"storageContainerUri":"file:///out"}}}`, plain)
	// Scripts send empty members; extra ones are ignored, and so are misspelled ones, at every level.
	f(`{"settings":{"inputLocation":{"storageContainerUri":"file:///in","relativeInputAssetPath":"a.glb","blobPrefix":"","x":[1],`+
		`"BLOBPREFIX":"x","storageContainerReadListSas":""},"InputLocation":{},"outputLocation":{"storageContainerUri":"file:///out",`+
		`"outputAssetFilename":"","storagecontaineruri":"file:///evil","storageContainerWriteSas":""}},"region":"here"}`, plain)
}

func TestCreateConversionRefuses(t *testing.T) {
	h := start(t, nil)
	f := func(old, edited, message string) {
		t.Helper()
		body := strings.Replace(conversionBody, old, edited, 1)
		if body == conversionBody {
			t.Fatalf("no %s", old)
		}
		a := h.do("PUT", converted("c")+version, body)
		wantError(t, a, 400, arr.CodeBadRequest, message)
		if strings.Contains(a.body, "hush") {
			t.Errorf("the answer shows a signature: %s", a.body)
		}
	}
	const malformed = "The request was malformed."
	f(`"box.fbx"`, "7", malformed)
	f(`"relativeInputAssetPath":"box.fbx",`, "", malformed)
	f(`"relativeInputAssetPath"`, `"RelativeInputAssetPath"`, malformed)
	f(`"relativeInputAssetPath":"box.fbx"`, `"relativeInputAssetPath":null`, malformed)
	f(`"storageContainerUri":"https://a.example/in",`, "", malformed)
	f(`"storageContainerUri":"https://a.example/out",`, "", malformed)
	f(`"outputLocation"`, `"output"`, malformed)
	f(`"settings"`, `"set"`, malformed)
	f(`"?sig=hush"`, `["?sig=hush"]`, malformed)
	f(`"blobPrefix":"Input"`, `"blobPrefix":{}`, malformed)
	f(`}}}`, `}}} x`, malformed)
	f(`}}}`, `}}`, malformed)
	f(`https://a.example/in`, `https://a.example/in?sig=hush`, "")
	f(`https://a.example/out`, `out`, "")
	f(`"blobPrefix":"Output"`, `"outputAssetFilename":"x.glb"`, "")
	for _, id := range []string{"a.b", "a%2Fb", "%C3%A4", strings.Repeat("x", 257)} {
		wantError(t, h.do("PUT", converted(id)+version, conversionBody), 400, arr.CodeBadRequest, "")
	}
	if len(h.convert.all) != 0 {
		t.Errorf("made %v", h.convert.all)
	}
	h.convert.err = arr.Errorf(arr.CodeStorageAccess, "Error accessing connected storage account due to insufficient permissions.")
	wantError(t, h.do("PUT", converted("c")+version, conversionBody), 403, "DelegatedResourceAccessError", "")
	h.convert.err = errors.New("disk on fire")
	wantError(t, h.do("PUT", converted("c")+version, conversionBody), 500, arr.CodeInternal, "An internal server error occurred.")
}

func TestGetConversion(t *testing.T) {
	h := start(t, nil)
	wantError(t, h.do("GET", converted("c")+version, ""), 404, arr.CodeNotFound, "")
	wantStatus(t, h.do("PUT", converted("c")+version, conversionBody), 201)
	f := func(change func(*arr.Conversion), want string) {
		t.Helper()
		h.convert.set("c", change)
		a := h.do("GET", converted("c")+version, "")
		wantStatus(t, a, 200)
		if _, tail, _ := strings.Cut(a.body, `"box.arrAsset"}},`); tail != want+"\n" {
			t.Errorf("got %s, want %s", tail, want)
		}
		if a.Header.Get("Cache-Control") != "no-store,no-cache" || a.Header.Get("Pragma") != "no-cache" {
			t.Errorf("headers %v", a.Header)
		}
	}
	f(func(c *arr.Conversion) {}, `"error":null,"status":"NotStarted"}`)
	f(func(c *arr.Conversion) { c.Status = arr.ConversionRunning }, `"error":null,"status":"Running"}`)
	f(func(c *arr.Conversion) { c.Status = arr.ConversionSucceeded },
		`"output":{"outputAssetUri":"https://a.example/out/Output/box.arrAsset"},"error":null,"status":"Succeeded"}`)
	f(func(c *arr.Conversion) {
		c.Status, c.Error = arr.ConversionFailed, arr.Errorf(arr.CodeInputContainer, "Could not find it.")
	}, `"error":{"code":"InputContainerError","message":"Could not find it."},"status":"Failed"}`)

	h.convert.set("c", func(c *arr.Conversion) { c.CreatedAt = time.Date(2021, 4, 30, 13, 54, 58, 578215000, time.UTC) })
	if a := h.do("GET", converted("c")+version, ""); !strings.Contains(a.body, `"creationTime":"2021-04-30T13:54:58.578215Z"`) {
		t.Errorf("body %s", a.body) // as recorded
	}
}

func TestListConversions(t *testing.T) {
	h := start(t, func(c *Config) { c.PageSize = 2; c.ExternalURL = "https://arr.example/x/" })
	list := strings.TrimSuffix(converted(""), "/")
	a := h.do("GET", list+version, "")
	if a.body != `{"conversions":[]}`+"\n" { // not null: the JavaScript SDK would fail
		t.Errorf("empty: %s", a.body)
	}
	for i := range 5 {
		wantStatus(t, h.do("PUT", converted(fmt.Sprint("c", i))+version, conversionBody), 201)
	}
	h.convert.set("c1", func(c *arr.Conversion) { c.Status = arr.ConversionSucceeded })
	h.convert.set("c2", func(c *arr.Conversion) {
		c.Status, c.Error = arr.ConversionFailed, arr.Errorf(arr.CodeConversionFailed, "x")
	})
	var ids []string
	for next := list + version; next != ""; {
		a := h.do("GET", next, "")
		wantStatus(t, a, 200)
		var page struct {
			Conversions []struct{ ID string }
			Next        string `json:"@nextLink"`
		}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Conversions {
			ids = append(ids, c.ID)
		}
		rest, ok := strings.CutPrefix(page.Next, "https://arr.example/x")
		if page.Next != "" && (!ok || !strings.Contains(rest, "api-version=2021-01-01")) {
			t.Fatalf("next link %s", page.Next)
		}
		next = rest
	}
	if fmt.Sprint(ids) != "[c0 c1 c2 c3 c4]" {
		t.Errorf("listed %v", ids)
	}
	wantError(t, h.do("GET", list+version+"&after=nonsense", ""), 400, arr.CodeBadRequest, "")
}

func TestConversionExtensions(t *testing.T) {
	h := start(t, nil)
	for _, c := range []struct{ method, path string }{
		{"GET", "/progress"}, {"GET", "/log"}, {"POST", "/:cancel"}, {"DELETE", ""},
	} {
		wantError(t, h.do(c.method, converted("unknown")+c.path, ""), 404, arr.CodeNotFound, "")
		wantError(t, h.do(c.method, converted("a.b")+c.path, ""), 400, arr.CodeBadRequest, "")
		wantStatus(t, h.do(c.method, converted("c")+c.path, "", as("")), 401)
	}
	wantStatus(t, h.do("PUT", converted("c")+version, conversionBody), 201)
	progress := func(want string) {
		t.Helper()
		a := h.do("GET", converted("c")+"/progress", "")
		wantStatus(t, a, 200)
		if a.body != want || a.Header.Get("Cache-Control") != "no-store,no-cache" {
			t.Errorf("got %s, %v", a.body, a.Header)
		}
	}
	progress(`{"status":"NotStarted","stage":"waiting","stageDone":0,"done":0,"ahead":2,"attempt":0,"elapsedSeconds":0}`)
	h.convert.set("c", func(c *arr.Conversion) { c.Status = arr.ConversionRunning })
	progress(`{"status":"Running","stage":"meshes","stageDone":0.25,"done":0.5,"rate":7,"unit":"triangles","attempt":1,"elapsedSeconds":1.5}`)

	log := func(query, want string) {
		t.Helper()
		a := h.do("GET", converted("c")+"/log"+query, "")
		if a.body != want || a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%d %q %s", a.StatusCode, a.body, a.Header.Get("Content-Type"))
		}
	}
	log("", "c 200\n")
	log("?tail=7", "c 7\n")
	wantError(t, h.do("GET", converted("c")+"/log?tail=0", ""), 400, arr.CodeBadRequest, "")

	for range 2 {
		a := h.do("POST", converted("c")+"/:cancel", "", header("Content-Type", "application/json"))
		wantStatus(t, a, 204)
		if a.body != "" || a.Header.Get("Content-Type") != "" {
			t.Errorf("%q, %v", a.body, a.Header)
		}
	}
	if a := h.do("GET", converted("c")+version, ""); !strings.Contains(a.body, `"code":"ConversionCancelled"`) ||
		!strings.Contains(a.body, `"status":"Failed"`) { // never Cancelled, which clients do not know
		t.Errorf("body %s", a.body)
	}
	wantStatus(t, h.do("DELETE", converted("c"), ""), 204)
	wantStatus(t, h.do("DELETE", converted("c"), ""), 404)
	h.convert.err = errors.New("disk on fire")
	wantStatus(t, h.do("DELETE", converted("c"), ""), 500)
}

// TestExtensionsAreDescribed compares the routes with api/heliograph/v1/openapi.yaml.
func TestExtensionsAreDescribed(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/heliograph/v1/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]string{ // by pattern: what the route asks of a token
		"GET /healthz": "none", "GET /readyz": "none",
	}
	for _, x := range new(Server).extensions() {
		method, path, ok := strings.Cut(x.pattern, " ")
		if !ok {
			method, path = "any", x.pattern
		}
		described[method+" "+strings.Replace(path, "...}", "}", 1)] = fmt.Sprint(x.need)
	}
	got := map[string]string{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if anyPath, _ := op.Extensions["x-any-path"].(bool); anyPath {
				method = "any"
			}
			need := "none"
			if op.Security == nil {
				action, _ := op.Extensions["x-required-action"].(string)
				viewer, _ := op.Extensions["x-viewer-token"].(bool)
				need = fmt.Sprint(access{token.Action(action), viewer})
			}
			got[method+" "+path] = need
		}
	}
	if diff := cmp.Diff(described, got); diff != "" {
		t.Errorf("api/heliograph/v1/openapi.yaml (-routes +document):\n%s", diff)
	}
	h := start(t, nil)
	values := strings.NewReplacer("{account_id}", string(account), "{session_id}", "s", "{conversion_id}", "c", "{peer}", "p", "{path}", "a")
	for pattern := range got { // and they are there: without a token, not 404
		method, path, _ := strings.Cut(pattern, " ")
		path = values.Replace(path)
		if method == "any" {
			method = http.MethodGet
		}
		if a := h.do(method, path, "", as("")); a.StatusCode != 401 && a.StatusCode != 200 {
			t.Errorf("%s %s answers %d", method, path, a.StatusCode)
		}
	}
}
