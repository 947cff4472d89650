package main

import "testing"

func TestTail(t *testing.T) {
	for _, tc := range []struct {
		text string
		n    int
		want string
	}{
		{"", 3, ""},
		{"a\n", 3, "a\n"},
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb\nc\n", 3, "a\nb\nc\n"},
		{"a\nb\nc", 1, "c"},
		{"a\nb\n", 0, "a\nb\n"},
	} {
		if got := string(tail([]byte(tc.text), tc.n)); got != tc.want {
			t.Errorf("tail(%q, %d) = %q, want %q", tc.text, tc.n, got, tc.want)
		}
	}
}

func TestAdded(t *testing.T) {
	for _, tc := range []struct{ before, now, want string }{
		{"", "a\n", "a\n"},
		{"a\n", "a\n", ""},
		{"a\n", "a\nb\n", "b\n"},
		{"a\nb\n", "b\nc\n", "b\nc\n"}, // the window has moved beyond what was seen
		{"a\nb\n", "x\na\nb\nc\n", "c\n"},
	} {
		if got := string(added([]byte(tc.before), []byte(tc.now))); got != tc.want {
			t.Errorf("added(%q, %q) = %q, want %q", tc.before, tc.now, got, tc.want)
		}
	}
}

func TestModelURI(t *testing.T) {
	for in, want := range map[string]string{
		"builtin://engine":        "builtin://engine",
		"https://a.example/x.glb": "https://a.example/x.glb",
		"/models/a b.glb":         "file:///models/a%20b.glb",
	} {
		if got, err := modelURI(in); err != nil || got != want {
			t.Errorf("modelURI(%q) = %q, %v", in, got, err)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -123: "-123", -1234: "-1,234"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %s, want %s", n, got, want)
		}
	}
}
