package conformance

import (
	"embed"
	"encoding/json"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

//go:embed testdata/examples/*.json
var exampleFiles embed.FS

// example is one file of the published examples.
type example struct {
	Parameters struct {
		Version   string `json:"api-version"`
		Account   string `json:"account_id"`
		Session   string `json:"session_id"`
		Body      json.RawMessage
		AccountID string `json:"accountId"`
	}
	Responses map[string]struct {
		Headers map[string]any
		Body    map[string]any
	}
}

// examples replays every published example, under the account of the target, and compares the answers with those in the
// file: the status, the members of the body and the types of their values, and the values that the request determines.
// Each status of a file must be provoked or be named here with the reason why it cannot.
func (s *suite) examples(t *testing.T) {
	files, err := exampleFiles.ReadDir("testdata/examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(f.Name(), ".json"), func(t *testing.T) {
			text, err := exampleFiles.ReadFile(path.Join("testdata/examples", f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			var e example
			decode(t, text, &e)
			answers := s.replay(t, strings.TrimSuffix(f.Name(), ".json"), &e)
			for status, want := range e.Responses {
				got, ok := answers[status]
				switch {
				case ok:
					compare(t, status, got, want.Headers, want.Body)
				case s.Storage == "" && strings.Contains(f.Name(), "Conversion"): // a service may have no storage to try it with
				case status == "429" || status == "500": // a service that keeps its limits and works has no example of these
				case status == "400" && e.Parameters.AccountID != "": // the token service answers 401 to every malformed request
				default:
					t.Errorf("status %s of the example was not provoked", status)
				}
			}
		})
	}
}

// replay provokes the answers of one example, by status.
func (s *suite) replay(t *testing.T, name string, e *example) map[string]answer {
	t.Helper()
	version := "api-version=" + e.Parameters.Version
	id := s.name(t)
	session := s.session(id)
	answers := map[string]answer{}
	try := func(c call) answer {
		t.Helper()
		c.query = version
		a := s.send(t, c)
		answers[strconv.Itoa(a.StatusCode)] = a
		return a
	}
	// everywhere asks like c without a token and for another account.
	everywhere := func(c call) {
		t.Helper()
		c.auth = "none"
		try(c)
		c.auth, c.path = "", strings.Replace(c.path, s.AccountID, otherAccount, 1)
		try(c)
	}
	body := string(e.Parameters.Body)
	switch name {
	case "CreateSession":
		c := call{method: "PUT", path: session, body: body}
		try(c)
		try(c)
		everywhere(c)
		c.body = strings.Replace(body, "60", "61", 1)
		try(c)
		c.body = `{"maxLeaseTimeMinutes":60}`
		try(c)
	case "GetSession":
		sessionOf(t, s.put(t, id, settings(60, "Standard")), 201)
		s.await(t, id, "Ready")
		c := call{method: "GET", path: session}
		try(c)
		everywhere(c)
		c.path = s.session("unknown-" + id)
		try(c)
	case "UpdateSession":
		sessionOf(t, s.put(t, id, settings(60, "Standard")), 201)
		s.await(t, id, "Ready")
		c := call{method: "PATCH", path: session, body: body}
		try(c)
		everywhere(c)
		c.path = s.session("unknown-" + id)
		try(c)
		c.path, c.body = session, `{}`
		try(c)
	case "StopSession":
		sessionOf(t, s.put(t, id, settings(60, "Standard")), 201)
		c := call{method: "POST", path: session + "/:stop"}
		try(c)
		everywhere(c)
		c.path = s.session("unknown-"+id) + "/:stop"
		try(c)
	case "ListSessions":
		sessionOf(t, s.put(t, id, settings(60, "Standard")), 201)
		s.await(t, id, "Ready")
		c := call{method: "GET", path: "/accounts/" + s.AccountID + "/sessions"}
		try(c)
		everywhere(c)
	case "GetToken":
		c := call{method: "GET", path: "/Accounts/" + s.AccountID + "/token", query: version, auth: s.AccountID + ":" + s.AccountKey}
		for _, auth := range []string{c.auth, "none"} {
			c.auth = auth
			a := s.raw(t, s.STS, c)
			answers[strconv.Itoa(a.StatusCode)] = a
		}
	case "CreateConversion":
		// The example is of a linked account: the same request, with the target's storage for it.
		body, c := s.ownStorage(body), call{method: "PUT", path: s.conversion(id)}
		for _, c.body = range []string{body, body, strings.Replace(body, "house.fbx", "shed.fbx", 1), `{"settings":{}}`} {
			if s.Storage != "" || c.body != body {
				try(c)
			}
		}
		everywhere(c)
	case "GetConversion":
		c := call{method: "GET", path: s.conversion(id)}
		if s.Storage != "" {
			conversionOf(t, s.putConversion(t, id, s.conversionSettings(s.Model, id)), 201)
			s.awaitConversion(t, id)
			try(c)
		}
		everywhere(c)
		c.path = s.conversion("unknown-" + id)
		try(c)
	case "ListConversions":
		if s.Storage != "" {
			conversionOf(t, s.putConversion(t, id, s.conversionSettings(s.Model, id)), 201)
			s.awaitConversion(t, id)
		}
		c := call{method: "GET", path: "/accounts/" + s.AccountID + "/conversions"}
		try(c)
		everywhere(c)
	default:
		t.Fatalf("nobody replays %s", name)
	}
	return answers
}

// ownStorage is a request with containers of the target, so that nothing is asked of the ones of the example.
func (s *suite) ownStorage(body string) string {
	return regexp.MustCompile(`https://contosostorage01[^"]*`).ReplaceAllLiteralString(body, s.Storage)
}

// compare holds got against an example.
func compare(t *testing.T, status string, got answer, headers, body map[string]any) {
	t.Helper()
	for name, want := range headers {
		have := got.Header.Get(name)
		switch {
		case have == "":
			t.Errorf("%s: no header %s", status, name)
		case name == "WWW-Authenticate" && strings.HasPrefix(want.(string), "Bearer") && have != want:
			t.Errorf("%s: %s %q, want %q", status, name, have, want)
		}
	}
	if body == nil {
		return
	}
	var have map[string]any
	decode(t, got.body, &have)
	if _, isError := body["error"].(map[string]any); isError {
		if status == "422" { // only the example's code is documented for every cause
			wantError(t, got, http.StatusUnprocessableEntity, "UnprocessableEntity", "")
			return
		}
		want, _ := json.Marshal(body)
		if string(want) != string(got.body) {
			t.Errorf("%s: %s, want %s", status, got.body, want)
		}
		return
	}
	compareMembers(t, status, have, body)
}

// fixed are the members whose values the requests of the examples determine.
var fixed = []string{"maxLeaseTimeMinutes", "size"}

func compareMembers(t *testing.T, where string, have, want map[string]any) {
	t.Helper()
	want = maps.Clone(want)
	maps.DeleteFunc(want, func(name string, v any) bool { // recorded answers of the service omit nulls, but for conversions
		_, there := have[name]
		return v == nil && !there
	})
	for name, w := range want {
		h, ok := have[name]
		if !ok {
			t.Errorf("%s: no member %s in %v", where, name, slices.Sorted(maps.Keys(have)))
			continue
		}
		if list, ok := w.([]any); ok {
			for _, entry := range h.([]any) {
				like := list[len(list)-1]
				if _, ok := entry.(map[string]any)["output"]; ok {
					like = list[0] // of a conversion that Succeeded
				}
				compareMembers(t, where+" "+name, entry.(map[string]any), like.(map[string]any))
			}
			continue
		}
		if kind(h) != kind(w) || slices.Contains(fixed, name) && where != "200 sessions" && h != w {
			t.Errorf("%s: member %s is %v, want as %v", where, name, h, w)
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok && name != "elapsedTimeMinutes" { // the recordings have it where the examples forgot it
			t.Errorf("%s: member %s is not in the example", where, name)
		}
	}
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	}
	return "other"
}
