package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func (s *suite) conversion(id string) string {
	return "/accounts/" + s.AccountID + "/conversions/" + id
}

// putConversion and getConversion act on a conversion.
func (s *suite) putConversion(t *testing.T, id, body string) answer {
	t.Helper()
	return s.send(t, call{method: "PUT", path: s.conversion(id), query: version, body: body})
}

func (s *suite) getConversion(t *testing.T, id string) answer {
	t.Helper()
	return s.send(t, call{method: "GET", path: s.conversion(id), query: version})
}

// converted is a conversion as the contract shows it. Raw members tell absent ones from nulls.
type converted struct {
	ID           string          `json:"id"`
	CreationTime string          `json:"creationTime"`
	Settings     json.RawMessage `json:"settings"`
	Output       *struct {
		URI string `json:"outputAssetUri"`
	} `json:"output"`
	Error  json.RawMessage `json:"error"`
	Status string          `json:"status"`

	failure *problem
}

var zulu = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$`)

// conversionOf decodes a conversion and checks that its members fit its status (contract section 5, "Object").
func conversionOf(t *testing.T, a answer, status int) converted {
	t.Helper()
	var c converted
	wantStatus(t, a, status)
	decode(t, a.body, &c)
	c.check(t)
	return c
}

func (c *converted) check(t *testing.T) {
	t.Helper()
	if !zulu.MatchString(c.CreationTime) {
		t.Errorf("creationTime %q", c.CreationTime)
	}
	if !slices.Contains([]string{"NotStarted", "Running", "Succeeded", "Failed"}, c.Status) { // clients do not know Cancelled
		t.Errorf("status %q", c.Status)
	}
	if (c.Status == "Succeeded") != (c.Output != nil) {
		t.Errorf("%s with output %+v", c.Status, c.Output)
	}
	if c.Error == nil {
		t.Errorf("%s without the member error", c.Status)
		return
	}
	decode(t, c.Error, &c.failure)
	if (c.Status == "Failed") != (c.failure != nil) || c.failure != nil && (c.failure.Code == "" || c.failure.Message == "") {
		t.Errorf("%s with error %s", c.Status, c.Error)
	}
	if strings.Contains(string(c.Settings), "Sas") {
		t.Errorf("a signature is shown: %s", c.Settings)
	}
}

// awaitConversion reads a conversion until it has ended.
func (s *suite) awaitConversion(t *testing.T, id string) converted {
	t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	rank := []string{"NotStarted", "Running", "Failed", "Succeeded"}
	for before := 0; ; {
		c := conversionOf(t, s.getConversion(t, id), http.StatusOK)
		now := slices.Index(rank, c.Status)
		if now < before {
			t.Fatalf("conversion %s went from %s to %s", id, rank[before], c.Status)
		}
		if before = now; now > 1 {
			return c
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("conversion %s is still %s", id, c.Status)
		}
	}
}

// settings asks to convert name of the target's storage into a folder of its own.
func (s *suite) conversionSettings(name, outPrefix string) string {
	return fmt.Sprintf(`{"settings":{"inputLocation":{"storageContainerUri":%q,"relativeInputAssetPath":%q},`+
		`"outputLocation":{"storageContainerUri":%q,"blobPrefix":%q}}}`, s.Storage, name, s.Storage, outPrefix)
}

func (s *suite) needStorage(t *testing.T) {
	t.Helper()
	if s.Storage == "" {
		t.Skip("no storage is named that the service may use")
	}
}

// conversions checks contract section 5, row by row.
func (s *suite) conversions(t *testing.T) {
	t.Run("refused", s.conversionRefused)
	t.Run("life", s.conversionLife)
	t.Run("failures", s.conversionFailures)
	t.Run("races", s.conversionRaces)
	t.Run("list", s.conversionList)
}

func (s *suite) conversionRefused(t *testing.T) {
	const good = `{"settings":{"inputLocation":{"storageContainerUri":"https://contosostorage01.blob.core.windows.net/arrinput",` +
		`"storageContainerReadListSas":"?sv=1&sig=hush","blobPrefix":"Input","relativeInputAssetPath":"box.fbx"},` +
		`"outputLocation":{"storageContainerUri":"https://contosostorage01.blob.core.windows.net/arroutput",` +
		`"storageContainerWriteSas":"sv=1&sig=hush"}}}`
	id := s.unusedName()
	f := func(status int, code, message, old, edited string) {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("no %s", old)
		}
		a := s.putConversion(t, id, strings.Replace(good, old, edited, 1))
		wantError(t, a, status, code, message)
		if strings.Contains(string(a.body), "hush") {
			t.Errorf("the answer shows a signature: %s", a.body)
		}
	}
	const malformed = "The request was malformed."
	f(400, "BadRequest", malformed, `"box.fbx"`, "7")
	f(400, "BadRequest", malformed, `,"relativeInputAssetPath":"box.fbx"`, "")
	f(400, "BadRequest", malformed, `"storageContainerUri":"https://contosostorage01.blob.core.windows.net/arrinput",`, "")
	f(400, "BadRequest", malformed, `"outputLocation"`, `"x"`)
	f(400, "BadRequest", malformed, `"settings"`, `"x"`)
	f(400, "BadRequest", malformed, "}}}", "}}")
	f(400, "BadRequest", "", `"box.fbx"`, `"box.max"`)
	f(400, "BadRequest", "", `"storageContainerWriteSas"`, `"outputAssetFilename":"box.glb","storageContainerWriteSas"`)
	f(400, "BadRequest", "", `https://contosostorage01.blob.core.windows.net/arrinput`, `nowhere`)
	// Without a signature and a link, access is refused at once; the words are those that clients look for.
	for _, edit := range [][2]string{
		{`"storageContainerReadListSas":"?sv=1&sig=hush",`, ""}, {`"?sv=1&sig=hush"`, `""`}, {`"?sv=1&sig=hush"`, `"?"`},
		{`,"storageContainerWriteSas":"sv=1&sig=hush"`, ""},
	} {
		a := s.putConversion(t, id, strings.Replace(good, edit[0], edit[1], 1))
		wantError(t, a, 403, "DelegatedResourceAccessError", "Error accessing connected storage account due to insufficient permissions. "+
			"Check if the Mixed Reality resource has correct permissions assigned. Documentation on how to link Remote Rendering Accounts "+
			"to storage can be found here: https://docs.microsoft.com/azure/remote-rendering/how-tos/create-an-account#link-storage-accounts.")
	}
	for _, bad := range []string{"a.b", "a%2Fb", strings.Repeat("x", 257)} {
		wantError(t, s.putConversion(t, bad, good), 400, "BadRequest", "")
	}
	wantError(t, s.getConversion(t, id), 404, "NotFound", "")
}

// conversionLife follows a conversion from its creation to after its end.
func (s *suite) conversionLife(t *testing.T) {
	s.needStorage(t)
	id := s.unusedName()
	body := s.conversionSettings(s.Model, id)
	c := conversionOf(t, s.putConversion(t, id, body), http.StatusCreated)
	stem := strings.TrimSuffix(path.Base(s.Model), path.Ext(s.Model))
	if c.ID != id || c.Status != "NotStarted" {
		t.Errorf("new conversion %+v", c)
	}
	// As recorded: a prefix ends in a slash, and the asset is named after the model.
	want := fmt.Sprintf(`{"inputLocation":{"storageContainerUri":%q,"relativeInputAssetPath":%q},"outputLocation":{"storageContainerUri":%q,`+
		`"blobPrefix":%q,"outputAssetFilename":%q}}`, s.Storage, s.Model, s.Storage, id+"/", stem+".arrAsset")
	if string(c.Settings) != want {
		t.Errorf("settings %s, want %s", c.Settings, want)
	}
	// The same in other words, with signatures that differ from one try to the next, and with members that nobody knows.
	for _, again := range []string{
		body,
		strings.Replace(body, `"blobPrefix":"`+id+`"`, `"blobPrefix":"`+id+`/","outputAssetFilename":"`+stem+`.arrAsset"`, 1),
		strings.Replace(body, `"relativeInputAssetPath"`, `"blobPrefix":"","color":[1],"BLOBPREFIX":"x","relativeInputAssetPath"`, 1),
	} {
		if c := conversionOf(t, s.putConversion(t, id, again), http.StatusOK); c.ID != id || string(c.Settings) != want {
			t.Errorf("again %+v", c)
		}
	}
	wantError(t, s.putConversion(t, id, strings.Replace(body, s.Model, "other-"+s.Model, 1)), 409, "Conflict",
		"A resource already exists under the given ID.")
	end := s.awaitConversion(t, id)
	if end.Status != "Succeeded" || end.Output.URI != s.Storage+"/"+id+"/"+stem+".arrAsset" || end.CreationTime != c.CreationTime {
		t.Errorf("ended as %+v (%s)", end, end.Error)
	}
	if again := conversionOf(t, s.putConversion(t, id, body), http.StatusOK); again.Status != "Succeeded" { // never run again
		t.Errorf("a PUT revived the conversion: %+v", again)
	}
	wantError(t, s.getConversion(t, strings.ToLower(id)), 404, "NotFound", "")
}

func (s *suite) conversionFailures(t *testing.T) {
	s.needStorage(t)
	f := func(name, code string, words ...string) {
		t.Helper()
		id := s.unusedName()
		conversionOf(t, s.putConversion(t, id, s.conversionSettings(name, id)), http.StatusCreated) // found out later
		c := s.awaitConversion(t, id)
		if c.Status != "Failed" || c.failure.Code != code {
			t.Fatalf("%s: %s with error %s", name, c.Status, c.Error)
		}
		for _, w := range words { // what tests of the official clients look for, of both generations
			if !strings.Contains(strings.ToLower(c.failure.Message), w) {
				t.Errorf("%s: message %q lacks %q", name, c.failure.Message, w)
			}
		}
	}
	f("missing-"+s.Model, "InputContainerError", "could not find the asset file in the storage account", "invalid input", "logs")
	f(s.Broken, "ConversionProcessFailed", "invalid input", "logs")
}

// conversionRaces: of concurrent identical requests one is 201, the others 200.
func (s *suite) conversionRaces(t *testing.T) {
	s.needStorage(t)
	id := s.unusedName()
	body := s.conversionSettings("missing-"+s.Model, id)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var codes []int
	for range 12 {
		wg.Go(func() {
			a := s.putConversion(t, id, body)
			mu.Lock()
			defer mu.Unlock()
			codes = append(codes, a.StatusCode)
		})
	}
	wg.Wait()
	slices.Sort(codes)
	if codes[len(codes)-1] != 201 || slices.ContainsFunc(codes[:len(codes)-1], func(c int) bool { return c != 200 }) {
		t.Errorf("statuses %v", codes)
	}
	s.awaitConversion(t, id)
}

// conversionList: all states, in ascending order of creation, over as many pages as it takes.
func (s *suite) conversionList(t *testing.T) {
	s.needStorage(t)
	const more = 103 // than fit on a page
	made := make([]string, more)
	for i := range made {
		made[i] = s.unusedName()
		conversionOf(t, s.putConversion(t, made[i], s.conversionSettings("missing-"+s.Model, made[i])), http.StatusCreated)
	}
	s.awaitConversion(t, made[more-1])
	var order []string
	before := ""
	for _, c := range s.allConversions(t) {
		if c.CreationTime = strings.TrimSuffix(c.CreationTime, "Z"); c.CreationTime < before {
			t.Errorf("%s, of %s, is listed after one of %s", c.ID, c.CreationTime, before)
		}
		before = c.CreationTime
		if slices.Contains(made, c.ID) {
			order = append(order, c.ID)
		}
	}
	if !slices.Equal(order, made) {
		t.Errorf("listed %d of %d, or in another order", len(order), more)
	}
}

// allConversions reads every page of the list.
func (s *suite) allConversions(t *testing.T) (all []converted) {
	t.Helper()
	path, query := "/accounts/"+s.AccountID+"/conversions", version
	for {
		a := s.send(t, call{method: "GET", path: path, query: query})
		wantStatus(t, a, 200)
		var page struct {
			Conversions *[]converted `json:"conversions"`
			Next        string       `json:"@nextLink"`
		}
		decode(t, a.body, &page)
		if page.Conversions == nil {
			t.Fatalf("no list: %s", a.body)
		}
		for _, c := range *page.Conversions {
			c.check(t)
			all = append(all, c)
		}
		if page.Next == "" {
			return all
		}
		rest, ok := strings.CutPrefix(page.Next, s.Endpoint)
		if !ok || !strings.Contains(rest, "api-version=") {
			t.Fatalf("next link %q", page.Next)
		}
		path, query, _ = strings.Cut(rest, "?")
	}
}

// conversionExtensions: what Heliograph has beside the contract does not change its shapes.
func (s *suite) conversionExtensions(t *testing.T) {
	s.needStorage(t)
	id := s.unusedName()
	body := s.conversionSettings(s.Model, id)
	conversionOf(t, s.putConversion(t, id, body), http.StatusCreated)
	end := s.awaitConversion(t, id)
	ask := func(method, verb string) answer {
		t.Helper()
		return s.raw(t, s.Endpoint, call{method: method, path: s.conversion(id) + verb, auth: s.token})
	}
	a := ask("GET", "/progress")
	wantStatus(t, a, 200)
	var p struct {
		Status, Stage string
		Done          float64
		Attempt       int
	}
	decode(t, a.body, &p)
	if p.Status != end.Status || p.Stage != "done" || p.Done != 1 || p.Attempt != 1 {
		t.Errorf("progress %s", a.body)
	}
	wantStatus(t, ask("POST", "/:cancel"), 204) // too late, which is no error
	if c := conversionOf(t, s.getConversion(t, id), 200); c.Status != "Succeeded" {
		t.Errorf("cancelled after its end: %+v", c)
	}
	wantStatus(t, ask("DELETE", ""), 204)
	wantError(t, s.getConversion(t, id), 404, "NotFound", "")
	wantError(t, ask("DELETE", ""), 404, "NotFound", "")
	wantError(t, ask("POST", "/:cancel"), 404, "NotFound", "")
	conversionOf(t, s.putConversion(t, id, body), http.StatusCreated) // the name is free
	s.awaitConversion(t, id)
}
