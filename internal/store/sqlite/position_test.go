package sqlite

import (
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// FuzzParsePosition takes positions from clients: a bad one is a client's error, a good one names its record again.
func FuzzParsePosition(f *testing.F) {
	key := arr.SessionKey{Account: "aaaaaaaa-0000-4000-8000-000000000001", ID: "s_-1"}
	good := position(time.Unix(1700000000, 7), key)
	for _, seed := range []string{good, "", "AAAA", "MTIz", "MS8vLw", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5L2EvYg", "LTEvYS9i"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, account, id, err := parsePosition(s)
		if err != nil {
			if arr.CodeOf(err) != arr.CodeBadRequest {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		key := arr.SessionKey{Account: arr.AccountID(account), ID: arr.SessionID(id)}
		again, sameAccount, sameID, err := parsePosition(position(instant(at), key))
		if err != nil || again != at || sameAccount != account || sameID != id {
			t.Errorf("%q is %d %s %s, and then %d %s %s (%v)", s, at, account, id, again, sameAccount, sameID, err)
		}
	})
}
