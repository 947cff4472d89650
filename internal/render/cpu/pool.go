package cpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/heliograph/heliograph/internal/mesh"
)

const (
	defaultPoolBytes = 512 << 20
	pageReaders      = 4 // pages read at once: most of their time is waiting for a disk or a network
	readAhead        = 4 * pageReaders
	// A page that a frame has drawn from is not evicted while this many further frames begin: several views may take turns.
	keepFrames = 3
	// retryAfter is when a page that could not be read may be asked for again.
	retryAfter = 5 * time.Second
)

// pool keeps pages of geometry in memory, within a budget. Frames tell which pages they miss; pages are then read by at
// most pageReaders goroutines, which end when nothing is left to read, and are waited for by close. What is usable changes
// only between frames, so that a frame sees one state from its beginning to its end.
type pool struct {
	budget  int64
	log     *slog.Logger
	changed func() // told of every page that arrived; never nil

	mu      sync.Mutex
	idle    sync.Cond // signalled when a reader ends a page
	arenas  map[arenaKind]*arena
	sources map[mesh.PageSource]*source
	used    int64  // bytes of all pages that have a place
	frames  int    // that are being drawn
	clock   uint64 // frames begun
	wants   []want // of the last frame, best first, not yet given a place
	jobs    []want // given a place, to be read
	arrived []want // read, to be made usable between frames
	reading int    // given a place and not yet arrived or failed
	readers int
	opened  int // sources so far
	closed  bool
}

// source is a mesh.PageSource that drawn models use.
type source struct {
	mesh.PageSource
	refs   int
	info   []mesh.PageInfo
	arena  *arena
	pages  []pageState
	order  int             // breaks ties between sources
	ctx    context.Context //nolint:containedctx // ends with the source; readers outlive the calls that start them
	cancel context.CancelFunc
	jobs   int  // pages being read
	logged bool // that a page could not be read
}

// pageState is guarded by pool.mu; frames read usable and place, which do not change while one is drawn.
type pageState struct {
	place
	status  pageStatus
	usable  bool
	pinned  bool          // never evicted
	needers int           // pages with a place that need this one
	drawn   atomic.Uint64 // clock of the last frame that drew from it
	failed  time.Time
}

type pageStatus uint8

const (
	pageAbsent pageStatus = iota
	pageReading
	pagePresent
)

// want asks for a page.
type want struct {
	source   *source
	page     uint32
	priority float32 // projected error in pixels
}

func newPool(budget int64, log *slog.Logger) *pool {
	if budget == 0 {
		budget = defaultPoolBytes
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &pool{
		budget: budget, log: log, changed: func() {}, arenas: map[arenaKind]*arena{}, sources: map[mesh.PageSource]*source{},
	}
	p.idle.L = &p.mu
	return p
}

// open takes a reference on the source of a model.
func (p *pool) open(ps mesh.PageSource) (*source, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.sources[ps]; s != nil {
		s.refs++
		return s, nil
	}
	info := ps.Pages()
	var kind arenaKind
	for i := range info {
		kind.detail = kind.detail || info[i].Detail
		kind.uv1 = kind.uv1 || info[i].UV1
	}
	if err := checkNeeds(info); err != nil {
		return nil, err
	}
	a := p.arenas[kind]
	if a == nil {
		var err error
		if a, err = newArena(kind, p.budget); err != nil {
			return nil, err
		}
		p.arenas[kind] = a
	}
	s := &source{PageSource: ps, refs: 1, info: info, arena: a, pages: make([]pageState, len(info)), order: p.opened}
	p.opened++
	s.ctx, s.cancel = context.WithCancel(context.Background())
	p.sources[ps] = s
	return s, nil
}

// checkNeeds refuses pages that need ones that are not there, or in the end themselves.
func checkNeeds(info []mesh.PageInfo) error {
	needers := make([][]uint32, len(info))
	left := make([]int, len(info))
	var free []uint32
	for i := range info {
		if left[i] = len(info[i].Needs); left[i] == 0 {
			free = append(free, uint32(i))
		}
		for _, n := range info[i].Needs {
			if int(n) >= len(info) {
				return fmt.Errorf("cpu: page %d needs page %d of %d", i, n, len(info))
			}
			needers[n] = append(needers[n], uint32(i))
		}
	}
	for done := 0; done < len(free); done++ {
		for _, i := range needers[free[done]] {
			if left[i]--; left[i] == 0 {
				free = append(free, i)
			}
		}
	}
	if len(free) < len(info) {
		return errors.New("cpu: pages need each other in a circle")
	}
	return nil
}

// release drops a reference. With the last one the pages go; no frame may be drawing them.
func (p *pool) release(s *source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.refs--; s.refs > 0 {
		return
	}
	s.cancel()
	own := func(w want) bool { return w.source == s }
	p.wants = slices.DeleteFunc(p.wants, own)
	for _, w := range p.jobs {
		if own(w) {
			s.jobs--
			p.reading--
		}
	}
	p.jobs = slices.DeleteFunc(p.jobs, own)
	for s.jobs > 0 {
		p.idle.Wait()
	}
	p.arrived = slices.DeleteFunc(p.arrived, own)
	for i := range s.pages {
		if s.pages[i].status != pageAbsent {
			s.arena.forget(s.pages[i].place, &s.info[i])
			p.used -= s.arena.kind.bytes(s.info[i].Vertices, s.info[i].Triangles)
		}
	}
	delete(p.sources, s.PageSource)
}

// preload reads pages, which are never evicted, and makes them usable. Frames must not yet draw from them.
func (p *pool) preload(ctx context.Context, s *source, page uint32) error {
	p.mu.Lock()
	ps := &s.pages[page]
	for ps.status == pageReading { // by another Prepare
		p.idle.Wait()
	}
	ps.pinned = true
	if ps.status == pagePresent || p.closed {
		p.mu.Unlock()
		return nil
	}
	err := p.give(s, page)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	err = s.ReadPage(ctx, int(page), s.arena.page(ps.place, &s.info[page]))
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.idle.Broadcast()
	if err != nil {
		p.take(s, page)
		return err
	}
	ps.status, ps.usable = pagePresent, true
	return nil
}

// warm reads pages, the most wanted first, as far as there is room, and waits until they are there. What cannot be read is
// left to the frames that want it.
func (p *pool) warm(ctx context.Context, s *source, pages []uint32) {
	defer context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.idle.Broadcast()
	})()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	nobody := victims{p: p, made: true} // a frame may be drawing from all that is there
	for _, page := range pages {
		if p.admit(s, page, &nobody) != nil {
			break
		}
	}
	for ctx.Err() == nil && slices.ContainsFunc(pages, func(page uint32) bool { return s.pages[page].status == pageReading }) {
		p.idle.Wait()
	}
}

// give finds a place for a page, whatever the budget says.
func (p *pool) give(s *source, page uint32) error {
	info, ps := &s.info[page], &s.pages[page]
	at, err := s.arena.alloc(info)
	if err != nil {
		return err
	}
	ps.place, ps.status = at, pageReading
	p.used += s.arena.kind.bytes(info.Vertices, info.Triangles)
	for _, n := range info.Needs {
		s.pages[n].needers++
	}
	return nil
}

// take gives up a page's place.
func (p *pool) take(s *source, page uint32) {
	info, ps := &s.info[page], &s.pages[page]
	s.arena.free(ps.place, info)
	if ps.status = pageAbsent; ps.usable { // else a frame may be reading it
		ps.usable = false
	}
	p.used -= s.arena.kind.bytes(info.Vertices, info.Triangles)
	for _, n := range info.Needs {
		s.pages[n].needers--
	}
}

// begin starts a frame, and returns its clock. What has arrived becomes usable unless another frame is being drawn.
func (p *pool) begin() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frames == 0 {
		p.publish()
	}
	p.frames++
	p.clock++
	return p.clock
}

// publish makes usable what has arrived and has all that it needs.
func (p *pool) publish() {
	for again := true; again; {
		again = false
		p.arrived = slices.DeleteFunc(p.arrived, func(w want) bool {
			for _, n := range w.source.info[w.page].Needs {
				if !w.source.pages[n].usable {
					return false
				}
			}
			w.source.pages[w.page].usable = true
			again = true
			return true
		})
	}
}

// end finishes a frame that missed pages, given best first. It returns how many of them will come; for the others there is
// no room, or they cannot be read.
func (p *pool) end(wants []want) (coming int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames--
	p.wants = slices.DeleteFunc(wants, func(w want) bool {
		ps := &w.source.pages[w.page]
		if ps.status != pageAbsent {
			coming++
			return true
		}
		return !ps.failed.IsZero() && time.Since(ps.failed) < retryAfter
	})
	queued := p.wants
	p.assign()
	for _, w := range queued {
		if w.source.pages[w.page].status != pageAbsent {
			coming++
		}
	}
	return coming + len(p.wants)
}

// assign gives places to the pages that are wanted most, and has them read.
func (p *pool) assign() {
	if p.frames > 0 || p.closed {
		return
	}
	v := victims{p: p}
	for len(p.wants) > 0 && p.reading < readAhead {
		w := p.wants[0]
		p.wants = p.wants[1:]
		if err := p.admit(w.source, w.page, &v); err != nil {
			p.wants = nil // no room for this one, and the others are wanted less
		}
	}
}

// admit gives a page and those that it needs places, and has them read. An error means that there is no room.
func (p *pool) admit(s *source, page uint32, v *victims) error {
	info, ps := &s.info[page], &s.pages[page]
	if ps.status != pageAbsent || !ps.failed.IsZero() && time.Since(ps.failed) < retryAfter {
		return nil
	}
	for _, n := range info.Needs {
		if err := p.admit(s, n, v); err != nil {
			return err
		}
		if s.pages[n].status == pageAbsent {
			return nil // cannot be read
		}
	}
	for size := s.arena.kind.bytes(info.Vertices, info.Triangles); p.used+size > p.budget; {
		if !v.evict() {
			return errFull
		}
	}
	if err := p.give(s, page); err != nil {
		return err
	}
	p.reading++
	s.jobs++
	p.jobs = append(p.jobs, want{source: s, page: page})
	if p.readers < pageReaders {
		p.readers++
		go p.read()
	}
	return nil
}

// victims is the pages that may be evicted; the list is made when it is first needed.
type victims struct {
	p    *pool
	made bool
	list []want
}

func (v *victims) evict() bool {
	if !v.made {
		v.list, v.made = v.p.evictable(), true
	}
	for len(v.list) > 0 {
		w := v.list[0]
		v.list = v.list[1:]
		if ps := &w.source.pages[w.page]; ps.status != pagePresent || ps.needers > 0 {
			continue
		}
		v.p.arrived = slices.DeleteFunc(v.p.arrived, func(a want) bool { return a == w })
		v.p.take(w.source, w.page)
		return true
	}
	return false
}

// evictable lists the pages that no recent frame drew from and no other page needs, least recently drawn first.
func (p *pool) evictable() []want {
	type victim struct {
		want
		drawn uint64
	}
	var list []victim
	for _, s := range p.sources {
		for i := range s.pages {
			ps := &s.pages[i]
			if drawn := ps.drawn.Load(); ps.status == pagePresent && !ps.pinned && ps.needers == 0 && drawn+keepFrames <= p.clock {
				list = append(list, victim{want{source: s, page: uint32(i)}, drawn})
			}
		}
	}
	slices.SortFunc(list, func(a, b victim) int {
		return cmp.Or(cmp.Compare(a.drawn, b.drawn), cmp.Compare(a.source.order, b.source.order), cmp.Compare(b.page, a.page))
	})
	out := make([]want, len(list))
	for i := range list {
		out[i] = list[i].want
	}
	return out
}

// read reads pages until there is none to read.
func (p *pool) read() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.jobs) > 0 {
		w := p.jobs[0]
		p.jobs = p.jobs[1:]
		s, ps, info := w.source, &w.source.pages[w.page], &w.source.info[w.page]
		dst := s.arena.page(ps.place, info)
		p.mu.Unlock()
		err := s.ReadPage(s.ctx, int(w.page), dst)
		p.mu.Lock()
		p.reading--
		s.jobs--
		if err != nil {
			p.fail(w, err)
		} else {
			ps.status = pagePresent
			ps.drawn.Store(p.clock) // it shall not go before it was of use
			p.arrived = append(p.arrived, w)
			p.dropUseless()
		}
		p.assign()
		p.idle.Broadcast()
		p.mu.Unlock()
		p.changed()
		p.mu.Lock()
	}
	p.readers--
	p.idle.Broadcast()
}

// fail notes that a page cannot be read: what it would refine stays coarse.
func (p *pool) fail(w want, err error) {
	s := w.source
	p.take(s, w.page)
	p.dropUseless()
	s.pages[w.page].failed = time.Now()
	if s.ctx.Err() == nil && !s.logged {
		s.logged = true
		p.log.Warn("a page of a model cannot be read; the model stays coarse there", "page", w.page, "error", err)
	}
}

// dropUseless gives up what has arrived and needs a page that could not be read.
func (p *pool) dropUseless() {
	for again := true; again; {
		again = false
		p.arrived = slices.DeleteFunc(p.arrived, func(w want) bool {
			for _, n := range w.source.info[w.page].Needs {
				if w.source.pages[n].status == pageAbsent {
					p.take(w.source, w.page)
					again = true
					return true
				}
			}
			return false
		})
	}
}

// close ends all reading and frees the memory.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, s := range p.sources {
		s.cancel()
	}
	p.jobs, p.wants = nil, nil
	for p.readers > 0 {
		p.idle.Wait()
	}
	for _, a := range p.arenas {
		a.close()
	}
	p.sources, p.arenas = nil, nil
}
