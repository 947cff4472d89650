package conversion_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
	"github.com/heliograph/heliograph/internal/converter/child"
)

// model is the contract's state machine (section 5) in its simplest words. What becomes of a conversion that is left alone
// is in the first letter of its id: good ones succeed, bad ones fail, those that crash once succeed, those that crash fail.
type model struct {
	*service
	all   []*modelConversion // in order of creation; deleted ones are taken out
	made  int
	kills int
}

type modelConversion struct {
	id        string
	status    arr.ConversionStatus // as seen last
	cancelled bool
}

func (c *modelConversion) fate() (arr.ConversionStatus, arr.Code) {
	switch {
	case c.cancelled:
		return arr.ConversionFailed, arr.CodeConversionCancelled
	case c.id[0] == 'g', c.id[0] == 'o':
		return arr.ConversionSucceeded, ""
	}
	return arr.ConversionFailed, arr.CodeConversionFailed
}

func (m *model) act(_ int, j child.Job, log io.Writer) (child.Result, error) {
	switch {
	case j.ID[0] == 'b':
		return failWith(j, child.KindInput, "bad")
	case j.ID[0] == 'c', j.ID[0] == 'o' && m.attempts(j.ID) == 1:
		return crash(0, j, log)
	}
	return succeed(j)
}

func (m *model) attempts(id string) (n int) {
	m.converter.mu.Lock()
	defer m.converter.mu.Unlock()
	for _, begun := range m.converter.begun {
		if begun == id {
			n++
		}
	}
	return n
}

func (m *model) pick(t *rapid.T) *modelConversion {
	if len(m.all) == 0 {
		t.Skip("no conversion yet")
	}
	return m.all[rapid.IntRange(0, len(m.all)-1).Draw(t, "conversion")]
}

func (m *model) Create(t *rapid.T) {
	id := fmt.Sprintf("%s-%d", rapid.SampledFrom([]string{"good", "bad", "once", "crash"}).Draw(t, "kind"), m.made)
	m.made++
	_, created, err := m.Manager.Create(context.Background(), keyOf(id), settings(), secrets)
	if err != nil || !created {
		t.Fatalf("create: %t, %v", created, err)
	}
	m.all = append(m.all, &modelConversion{id: id, status: arr.ConversionNotStarted})
}

func (m *model) CreateAgain(t *rapid.T) {
	c := m.pick(t)
	other := rapid.Bool().Draw(t, "other settings")
	_, created, err := m.Manager.Create(context.Background(), keyOf(c.id), settings(func(s *arr.ConversionSettings) {
		if other {
			s.Output.BlobPrefix = "elsewhere"
		}
	}), secrets)
	if created || (arr.CodeOf(err) == arr.CodeConflict) != other || err != nil && !other {
		t.Fatalf("create again: %t, %v", created, err)
	}
}

func (m *model) Cancel(t *rapid.T) {
	c := m.pick(t)
	synctest.Wait()
	m.look(t)
	if err := m.Manager.Cancel(context.Background(), keyOf(c.id)); err != nil {
		t.Fatal(err)
	}
	c.cancelled = c.cancelled || !c.status.Terminal()
}

func (m *model) Delete(t *rapid.T) {
	c := m.pick(t)
	if err := m.Manager.Delete(context.Background(), keyOf(c.id)); err != nil {
		t.Fatal(err)
	}
	m.all = slices.DeleteFunc(m.all, func(other *modelConversion) bool { return other == c })
}

func (m *model) Wait(t *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 2500).Draw(t, "ms")) * time.Millisecond)
}

func (m *model) Restart(*rapid.T) {
	m.stop()
	m.start()
}

// Kill ends the service without its having a say. An attempt that is lost so is counted, so that there may be few.
func (m *model) Kill(t *rapid.T) {
	if m.kills++; m.kills > 2 {
		t.Skip("killed often enough")
	}
	store := m.config.Store.(*killed)
	store.dead = true
	m.stop()
	store.dead = false
	m.start()
}

// look reads all conversions: none moves against the arrows, none fares other than it must, and the list has them in order.
func (m *model) look(t *rapid.T) {
	page, _, err := m.Manager.List(context.Background(), accountA, "", 0)
	if err != nil || len(page) != len(m.all) {
		t.Fatalf("%d listed (%v), want %d", len(page), err, len(m.all))
	}
	for i, c := range m.all {
		got := page[i]
		code := arr.Code("")
		if got.Error != nil {
			code = got.Error.Code
		}
		if string(got.Key.ID) != c.id {
			t.Fatalf("%s is listed in the place of %s", got.Key.ID, c.id)
		}
		was := &arr.Conversion{Status: c.status}
		if c.status == arr.ConversionNotStarted && got.Status == arr.ConversionSucceeded {
			was.Status = arr.ConversionRunning // not seen
		}
		if err := was.Transition(got.Status, time.Now()); err != nil {
			t.Fatalf("%s went from %s to %s: %v", c.id, c.status, got.Status, err)
		}
		if status, fate := c.fate(); got.Status.Terminal() && (got.Status != status || code != fate) || c.cancelled && !got.Status.Terminal() {
			t.Fatalf("%s (cancelled: %t) is %s %s", c.id, c.cancelled, got.Status, code)
		}
		c.status = got.Status
	}
}

// check compares everything visible with the model.
func (m *model) check(t *rapid.T) {
	synctest.Wait()
	m.look(t)
	processes, most := m.converter.now()
	if most > 2 {
		t.Fatalf("%d ran at a time", most)
	}
	running := 0
	for _, c := range m.all {
		if c.status == arr.ConversionRunning {
			running++
		}
	}
	if processes != running {
		t.Fatalf("%d processes for %d running conversions", processes, running)
	}
	time.Sleep(time.Millisecond) // no two conversions are created at the same time
}

// drain lets everything end.
func (m *model) drain(t *rapid.T) {
	time.Sleep(time.Duration(m.made+1) * 3 * time.Second)
	m.check(t)
	logs := 0
	for _, c := range m.all {
		if !c.status.Terminal() {
			t.Fatalf("%s is %s for ever", c.id, c.status)
		}
		if m.attempts(c.id) > 0 {
			logs++
		}
	}
	files := m.files()
	if strings.Count(files, "/log.txt") != logs || strings.Contains(files, "/input/") || strings.Contains(files, "/output/") {
		t.Fatalf("%d conversions ran and left\n%s", logs, files)
	}
}

func TestModel(t *testing.T) {
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		hidden := struct{ *testing.T }{t} // rapid would ask a plain *testing.T for its deadline, which no bubble has
		rapid.Check(hidden, func(rt *rapid.T) {
			dir, err := os.MkdirTemp(root, "")
			if err != nil {
				rt.Fatal(err)
			}
			m := &model{service: newService(t, dir, func(c *conversion.QueueConfig) {
				c.MaxRunning, c.Store = 2, &killed{Store: c.Store}
			})}
			m.converter.act = m.act
			defer m.close()
			rt.Repeat(map[string]func(*rapid.T){
				"": m.check, "create": m.Create, "create again": m.CreateAgain, "cancel": m.Cancel, "delete": m.Delete,
				"wait": m.Wait, "restart": m.Restart, "kill": m.Kill,
			})
			m.drain(rt)
		})
	})
}
