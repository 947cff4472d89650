package arr

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTransition(t *testing.T) {
	all := []SessionStatus{StatusStarting, StatusReady, StatusStopped, StatusExpired, StatusError}
	allowed := map[SessionStatus]string{ // contract section 4, "State machine"
		StatusStarting: "Starting Ready Stopped Error",
		StatusReady:    "Ready Stopped Expired Error",
		StatusStopped:  "Stopped",
		StatusExpired:  "Expired",
		StatusError:    "Error",
	}
	now := time.Now()
	for _, from := range all {
		for _, to := range all {
			before := Session{Status: from}
			s := before
			err := s.Transition(to, now)
			if ok := strings.Contains(allowed[from], string(to)); (err == nil) != ok {
				t.Errorf("%s to %s: %v", from, to, err)
			}
			switch {
			case err != nil:
				if s != before || CodeOf(err) != CodeConflict {
					t.Errorf("a refused move from %s to %s left %+v, %v", from, to, s, err)
				}
			case from == to:
				if s != before {
					t.Errorf("staying in %s left %+v", from, s)
				}
			default:
				if s.Status != to || s.ReadyAt.Equal(now) != (to == StatusReady) || s.EndedAt.Equal(now) != to.Terminal() {
					t.Errorf("%s to %s left %+v", from, to, s)
				}
			}
		}
	}
}

func TestElapsedMinutes(t *testing.T) {
	ready := time.Now()
	f := func(s Session, after time.Duration, want int) {
		t.Helper()
		if got := s.ElapsedMinutes(ready.Add(after)); got != want {
			t.Errorf("%d minutes after %v, want %d", got, after, want)
		}
	}
	f(Session{}, time.Hour, 0)
	f(Session{ReadyAt: ready}, 59*time.Second, 0)
	f(Session{ReadyAt: ready}, time.Minute, 1)
	f(Session{ReadyAt: ready}, 3*time.Minute+59*time.Second, 3)
	f(Session{ReadyAt: ready}, -time.Hour, 0) // the clock was set back
	f(Session{ReadyAt: ready, EndedAt: ready.Add(150 * time.Second)}, time.Hour, 2)
	f(Session{EndedAt: ready}, time.Hour, 0) // ended while Starting
}

func TestLeaseEnd(t *testing.T) {
	ready := time.Now()
	if end, ok := (&Session{ReadyAt: ready, LeaseMinutes: 5}).LeaseEnd(); !ok || !end.Equal(ready.Add(5*time.Minute)) {
		t.Errorf("lease ends %v, %t", end, ok)
	}
	if _, ok := (&Session{CreatedAt: ready, LeaseMinutes: 5}).LeaseEnd(); ok {
		t.Error("the lease runs before Ready")
	}
}

func TestParse(t *testing.T) {
	size := func(s string) (string, error) { v, err := ParseSize(s); return string(v), err }
	session := func(s string) (string, error) { v, err := ParseSessionID(s); return string(v), err }
	account := func(s string) (string, error) { v, err := ParseAccountID(s); return string(v), err }
	f := func(parse func(string) (string, error), in, want string) {
		t.Helper()
		got, err := parse(in)
		if got != want || (err == nil) != (want != "") || err != nil && CodeOf(err) != CodeBadRequest {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	f(size, "Standard", "Standard")
	f(size, "sTANDARD", "Standard")
	f(size, "premium", "Premium")
	f(size, "", "")
	f(size, " Standard", "")

	f(session, "a-Z_9", "a-Z_9")
	f(session, strings.Repeat("x", 256), strings.Repeat("x", 256))
	f(session, strings.Repeat("x", 257), "")
	f(session, "", "")
	f(session, "a.b", "")
	f(session, "a/b", "")
	f(session, "a\n", "")
	f(session, "ä", "")

	f(account, "30EA64BD-100f-4bf0-adc9-29fa45d4880c", "30ea64bd-100f-4bf0-adc9-29fa45d4880c")
	f(account, "{30ea64bd-100f-4bf0-adc9-29fa45d4880c}", "")
	f(account, "30ea64bd100f4bf0adc929fa45d4880c", "")
	f(account, "30ea64bd-100f-4bf0-adc9-29fa45d4880g", "")
	f(account, "", "")
}

func TestCheckLease(t *testing.T) {
	for minutes, want := range map[int]Code{-1: CodeBadRequest, 0: "", 1440: "", 1441: CodeBadRequest} {
		if got := CodeOf(CheckLease(minutes)); got != want {
			t.Errorf("%d minutes: %q, want %q", minutes, got, want)
		}
	}
}

func TestCodeOf(t *testing.T) {
	e := Errorf(CodeNotFound, "no %s", "such")
	if e.Error() != "NotFound: no such" {
		t.Error(e)
	}
	for want, err := range map[Code]error{"": nil, CodeInternal: errors.New("x"), CodeNotFound: fmt.Errorf("while: %w", e)} {
		if got := CodeOf(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
