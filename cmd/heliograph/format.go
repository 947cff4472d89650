package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/heliograph/heliograph/client"
	"github.com/heliograph/heliograph/internal/obs"
)

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table writes rows in aligned columns.
func table(w io.Writer, rows ...[]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		if _, err := fmt.Fprintln(t, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

func printSession(w io.Writer, s *client.Session) error {
	rows := [][]string{
		{"Session", s.ID},
		{"Status", string(s.Status)},
		{"Size", string(s.Size)},
		{"Lease", fmt.Sprintf("%d min, %d used", s.MaxLeaseTimeMinutes, s.ElapsedTimeMinutes)},
		{"Created", s.CreationTime.UTC().Format(time.DateTime) + " UTC"},
	}
	if s.Status == client.Ready {
		worker := fmt.Sprintf("%s, handshake port %d, inspector port %d", s.Hostname, s.HandshakePort, s.ArrInspectorPort)
		rows = append(rows, []string{"Worker", worker})
	}
	if s.Teraflops > 0 {
		rows = append(rows, []string{"Teraflops", strconv.FormatFloat(s.Teraflops, 'g', 3, 64)})
	}
	if s.Error != nil {
		rows = append(rows, []string{"Error", s.Error.Error()})
	}
	return table(w, rows...)
}

func printSessions(w io.Writer, all []*client.Session) error {
	rows := [][]string{{"SESSION", "STATUS", "SIZE", "LEASE", "USED", "WORKER", "CREATED"}}
	for _, s := range all {
		worker := "-"
		if s.Status == client.Ready {
			worker = fmt.Sprintf("%s:%d", s.Hostname, s.HandshakePort)
		}
		rows = append(rows, []string{s.ID, string(s.Status), string(s.Size), fmt.Sprintf("%d min", s.MaxLeaseTimeMinutes),
			fmt.Sprintf("%d min", s.ElapsedTimeMinutes), worker, s.CreationTime.UTC().Format(time.DateTime)})
	}
	return table(w, rows...)
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count is a number of things; without a plural of its own, it is the singular and an s.
func count(n int, thing string, plural ...string) string {
	switch {
	case n == 1:
	case len(plural) > 0:
		thing = plural[0]
	default:
		thing += "s"
	}
	return thousands(int64(n)) + " " + thing
}

// shellWord is s as one word of a POSIX shell.
func shellWord(s string) string {
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+,:@%=", r)
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// progress is a bar that redraws itself on a terminal, and a line per stage elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	stage    string
	drawn    bool
}

func newProgress(w io.Writer) *progress { return &progress{w: w, terminal: obs.Terminal(w)} }

// show says that done (0..1) of the work is done and what is being done.
func (p *progress) show(done float64, stage string) {
	done = min(max(done, 0), 1)
	if p.terminal {
		const width = 30
		full := int(done * width)
		fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %3.0f %%  %s", strings.Repeat("#", full), strings.Repeat("-", width-full), 100*done, stage)
		p.drawn = true
	} else if stage != p.stage {
		fmt.Fprintf(p.w, "%3.0f %%  %s\n", 100*done, stage)
	}
	p.stage = stage
}

// end removes the bar.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
