package control

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/heliograph/heliograph/internal/devserver"
	_ "modernc.org/sqlite" // the anchor: one INSERT per durable commit
)

const (
	creates   = 4000 // requests of one row
	clients   = 32   // concurrent connections
	starts    = 40   // sessions of the PUT-to-Ready row
	warmUp    = 200  // requests before a row is timed
	createURL = "/accounts/%s/sessions/%s?api-version=2021-01-01"
	lease     = `{"maxLeaseTimeMinutes":5,"size":"Standard"}`
)

// row is one line of the table.
type row struct {
	name      string
	perSecond float64
	latencies []time.Duration
	cpu       time.Duration // of the process that was measured
}

// BenchmarkControlPlane prints one table; run it with -benchtime=1x.
func BenchmarkControlPlane(b *testing.B) {
	rows := []row{bareHandler(b), rawCommits(b)}

	// One worker at most: every other session waits for room in Starting, so that creates are measured and not processes.
	full := devserver.Start(b, devserver.Options{Env: []string{
		"HELIOGRAPH_RATE_LIMIT_PER_SECOND=0", "HELIOGRAPH_SIZES_STANDARD_MAX_SESSIONS=1", "HELIOGRAPH_START_TIMEOUT=10m",
		"HELIOGRAPH_LOG_LEVEL=warn"}})
	c := connect(b, full)
	before := cpuOf(b, full.PID)
	r := load("durable create over HTTP (PUT, 201)", creates, func(i int) error { return c.put(fmt.Sprintf("bench-%d", i)) })
	r.cpu = cpuOf(b, full.PID) - before
	rows = append(rows, r)
	rows = append(rows, load("read (GET, 200)", creates, func(i int) error { _, err := c.status(fmt.Sprintf("bench-%d", i%creates)); return err }))
	full.Stop(b)

	ready := devserver.Start(b, devserver.Options{Env: []string{"HELIOGRAPH_RATE_LIMIT_PER_SECOND=0", "HELIOGRAPH_LOG_LEVEL=warn"}})
	rows = append(rows, putToReady(b, connect(b, ready)))

	print(rows)
}

func print(rows []row) {
	base := rows[0].perSecond
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\n## Control plane\n\nwhat\tper second\tof bare\tp50 ms\tp99 ms\tCPU ms each")
	for _, r := range rows {
		cpu := "-"
		if r.cpu > 0 {
			cpu = fmt.Sprintf("%.3f", ms(r.cpu)/float64(len(r.latencies)))
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%s\n", r.name, r.perSecond, r.perSecond/base, ms(quantile(r.latencies, 0.5)),
			ms(quantile(r.latencies, 0.99)), cpu)
	}
	w.Flush()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

// load calls do n times from many goroutines and times every call.
func load(name string, n int, do func(i int) error) row {
	latencies := make([]time.Duration, n)
	var wg sync.WaitGroup
	next := make(chan int)
	began := time.Now()
	for range clients {
		wg.Go(func() {
			for i := range next {
				t := time.Now()
				if err := do(i); err != nil {
					panic(fmt.Sprintf("%s: %v", name, err))
				}
				latencies[i] = time.Since(t)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return row{name: name, perSecond: float64(n) / time.Since(began).Seconds(), latencies: latencies}
}

// bareHandler is what net/http alone does with the same request and an answer of the same size.
func bareHandler(b *testing.B) row {
	answer := bytes.Repeat([]byte("x"), 200)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(answer)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = srv.Serve(ln) }()
	b.Cleanup(func() { srv.Close() })
	c := &caller{http: newHTTP(), base: "http://" + ln.Addr().String(), account: "a"}
	load("warm-up", warmUp, func(i int) error { return c.put(fmt.Sprint(i)) })
	return load("bare net/http handler", creates, func(i int) error { return c.put(fmt.Sprint(i)) })
}

// rawCommits is what SQLite does with one row per durable transaction and one writer.
func rawCommits(b *testing.B) row {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "raw.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE s (id TEXT PRIMARY KEY, body TEXT)"); err != nil {
		b.Fatal(err)
	}
	body := strings.Repeat("x", 300)
	return load("raw SQLite commit, one row each", creates, func(i int) error {
		_, err := db.Exec("INSERT INTO s VALUES (?, ?)", fmt.Sprint(i), body)
		return err
	})
}

// putToReady starts sessions one after another and stops each.
func putToReady(b *testing.B, c *caller) row {
	r := row{name: "PUT to Ready, one at a time"}
	began := time.Now()
	for i := range starts {
		id := fmt.Sprintf("ready-%d", i)
		t := time.Now()
		if err := c.put(id); err != nil {
			b.Fatal(err)
		}
		for {
			status, err := c.status(id)
			if err != nil {
				b.Fatal(err)
			}
			if status == "Ready" {
				break
			}
			if status != "Starting" {
				b.Fatalf("session became %s", status)
			}
			<-time.After(2 * time.Millisecond) // the resolution of the measurement
		}
		r.latencies = append(r.latencies, time.Since(t))
		if err := c.stop(id); err != nil {
			b.Fatal(err)
		}
	}
	r.perSecond = float64(starts) / time.Since(began).Seconds()
	return r
}

// caller speaks the contract over plain HTTP on the dashboard's listener, as the bare handler does.
type caller struct {
	http                 *http.Client
	base, account, token string
}

func newHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
}

func connect(b *testing.B, s *devserver.Server) *caller {
	c := &caller{http: newHTTP(), base: strings.TrimSuffix(s.Dashboard, "/"), account: s.AccountID}
	var got struct{ AccessToken string }
	err := c.do("GET", "/Accounts/"+s.AccountID+"/token", "", s.AccountID+":"+s.AccountKey, http.StatusOK, &got)
	if err != nil {
		b.Fatal(err)
	}
	c.token = got.AccessToken
	return c
}

func (c *caller) put(id string) error {
	return c.do("PUT", fmt.Sprintf(createURL, c.account, id), lease, c.token, http.StatusCreated, nil)
}

func (c *caller) status(id string) (string, error) {
	var s struct{ Status string }
	err := c.do("GET", fmt.Sprintf(createURL, c.account, id), "", c.token, http.StatusOK, &s)
	return s.Status, err
}

func (c *caller) stop(id string) error {
	path := fmt.Sprintf("/accounts/%s/sessions/%s/:stop?api-version=2021-01-01", c.account, id)
	return c.do("POST", path, "", c.token, http.StatusNoContent, nil)
}

func (c *caller) do(method, path, body, bearer string, want int, out any) error {
	req, err := http.NewRequestWithContext(context.Background(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != want {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, data)
	}
	if out != nil {
		return json.Unmarshal(data, out)
	}
	return nil
}

// cpuOf reads user and system time of a process from /proc (proc(5), fields 14 and 15, in ticks of 10 ms).
func cpuOf(b *testing.B, pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+2:]))
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
