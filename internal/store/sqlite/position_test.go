package sqlite

import (
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/session"
)

// FuzzParsePosition takes positions from clients: a bad one is a client's error, a good one names its record again.
func FuzzParsePosition(f *testing.F) {
	r := session.Record{Session: arr.Session{
		Key: arr.SessionKey{Account: "aaaaaaaa-0000-4000-8000-000000000001", ID: "s_-1"}, CreatedAt: time.Unix(1700000000, 7),
	}}
	for _, seed := range []string{position(&r), "", "AAAA", "MTIz", "MS8vLw", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5L2EvYg", "LTEvYS9i"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, key, err := parsePosition(s)
		if err != nil {
			if arr.CodeOf(err) != arr.CodeBadRequest {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		r := session.Record{Session: arr.Session{Key: key, CreatedAt: instant(at)}}
		again, sameKey, err := parsePosition(position(&r))
		if err != nil || again != at || sameKey != key {
			t.Errorf("%q is %d %v, and then %d %v (%v)", s, at, key, again, sameKey, err)
		}
	})
}
