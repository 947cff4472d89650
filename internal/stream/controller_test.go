package stream

import (
	"math/rand/v2"
	"testing"
	"time"
)

// link is a bottleneck in simulated time: a drop-tail queue drained at a rate, then a delay, and random loss.
type link struct {
	rate    func(t time.Duration) float64 // bits per second
	depth   time.Duration                 // longest queueing delay
	delay   time.Duration                 // one way
	loss    float64
	random  *rand.Rand
	freeAt  time.Duration // when the queue is drained
	pending []packetResult
}

func (l *link) send(now time.Duration, size int) {
	p := packetResult{size: size, sent: now}
	start := max(now, l.freeAt)
	if start-now <= l.depth && l.random.Float64() >= l.loss {
		l.freeAt = start + time.Duration(float64(8*size)/l.rate(now)*float64(time.Second))
		p.arrived, p.arrival = true, l.freeAt+l.delay
	}
	l.pending = append(l.pending, p)
}

// feedback returns what the receiver can have told by now.
func (l *link) feedback(now time.Duration) []packetResult {
	n := 0
	for n < len(l.pending) && l.pending[n].sent+l.delay < now && (!l.pending[n].arrived || l.pending[n].arrival+l.delay < now) {
		n++
	}
	out := l.pending[:n]
	l.pending = l.pending[n:]
	return out
}

// sample is the controller's state at one time.
type sample struct {
	at     time.Duration
	target float64
	queue  time.Duration
}

// simulate streams 30 frames a second over l for d, with frames of the target rate (or at most limit).
func simulate(l *link, d time.Duration, limit float64) (*controller, []sample) {
	const frame, mtu, report = time.Second / 30, 1200, 50 * time.Millisecond
	epoch := time.Unix(1_000_000, 0)
	c := newController()
	var samples []sample
	nextReport := time.Duration(0)
	for now := time.Duration(0); now < d; now += time.Millisecond {
		if now%frame < time.Millisecond {
			bytes := int(min(0.92*c.rate, limit) / 30 / 8)
			for bytes > 0 {
				l.send(now, min(bytes, mtu))
				bytes -= mtu
			}
		}
		if now >= nextReport {
			nextReport += report
			c.onFeedback(epoch.Add(now), l.feedback(now))
			samples = append(samples, sample{now, c.rate, max(0, l.freeAt-now)})
		}
	}
	return c, samples
}

func steady(rate float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return rate }
}

func newLink(rate func(time.Duration) float64) *link {
	return &link{rate: rate, depth: 100 * time.Millisecond, delay: 20 * time.Millisecond, random: rand.New(rand.NewPCG(1, 2))}
}

const unlimited = 1e12

func TestControllerReachesTheTopOfAFastLink(t *testing.T) {
	c, _ := simulate(newLink(steady(100e6)), 6*time.Second, unlimited)
	if c.rate < 0.99*maxBitrate {
		t.Errorf("target %.1f Mbit/s after 6 s on a fast link, want %.0f", c.rate/1e6, maxBitrate/1e6)
	}
}

func TestControllerFollowsALinkThatShrinksAndRecovers(t *testing.T) {
	rate := func(at time.Duration) float64 {
		if at >= 10*time.Second && at < 20*time.Second {
			return 5e6
		}
		return 20e6
	}
	_, samples := simulate(newLink(rate), 40*time.Second, unlimited)
	long, shrunk := 0, 0
	for _, s := range samples {
		if s.at >= 12*time.Second && s.at < 20*time.Second {
			shrunk++
			if s.queue > 70*time.Millisecond { // a frame's own burst is 33 ms of it
				long++
			}
		}
		switch {
		case s.at >= 11*time.Second && s.at < 20*time.Second && s.target > 6e6:
			t.Fatalf("at %v the target is still %.1f Mbit/s on a 5 Mbit/s link", s.at, s.target/1e6)
		case s.at >= 12*time.Second && s.at < 20*time.Second && s.target < 2.5e6:
			t.Fatalf("at %v the target fell to %.1f Mbit/s on a 5 Mbit/s link", s.at, s.target/1e6)
		}
	}
	if 10*long > shrunk {
		t.Errorf("the queue was longer than 70 ms in %d of %d reports", long, shrunk)
	}
	recovered := time.Duration(0)
	for _, s := range samples {
		if s.at > 20*time.Second && s.target > 14e6 {
			recovered = s.at - 20*time.Second
			break
		}
	}
	if recovered == 0 || recovered > 10*time.Second {
		t.Errorf("14 Mbit/s after %v (0 = never), want within 10 s of recovery", recovered)
	}
}

func TestControllerToleratesRandomLoss(t *testing.T) {
	l := newLink(steady(20e6))
	l.loss = 0.02
	_, samples := simulate(l, 20*time.Second, unlimited)
	sum, n := 0.0, 0
	for _, s := range samples {
		if s.at > 5*time.Second {
			sum += s.target
			n++
		}
	}
	if mean := sum / float64(n); mean < 10e6 {
		t.Errorf("mean target %.1f Mbit/s with 2 %% loss on 20 Mbit/s, want >= 10", mean/1e6)
	}
}

func TestControllerDoesNotGrowOnRatesNobodyTried(t *testing.T) {
	c, _ := simulate(newLink(steady(3e6)), 20*time.Second, 200e3)
	if c.rate > startBitrate {
		t.Errorf("target grew to %.1f Mbit/s while 0.2 were sent", c.rate/1e6)
	}
}

func TestControllerAsksForAKeyFrameWhenTheQueueOverflows(t *testing.T) {
	c := newController()
	now := time.Unix(1_000_000, 0)
	sent := time.Duration(0)
	report := func(arrived func(i int) bool, queue time.Duration) bool {
		var packets []packetResult
		for i := range 40 {
			packets = append(packets, packetResult{size: 1200, sent: sent, arrived: arrived(i), arrival: sent + 20*time.Millisecond + queue})
			sent += time.Millisecond
		}
		now = now.Add(50 * time.Millisecond)
		return c.onFeedback(now, packets)
	}
	all := func(int) bool { return true }
	for range 20 {
		if report(all, 0) {
			t.Fatal("cut on a clean link")
		}
	}
	before := c.rate
	cut := false
	for range 4 {
		cut = cut || report(func(i int) bool { return i%2 == 0 }, 90*time.Millisecond)
	}
	if !cut || c.rate > 0.6*before {
		t.Errorf("cut %v, rate %.1f of %.1f Mbit/s, want a cut below 0.6", cut, c.rate/1e6, before/1e6)
	}
}

func TestControllerIgnoresReportsWithoutArrivals(t *testing.T) {
	c := newController()
	if c.onFeedback(time.Unix(1, 0), nil) || c.onFeedback(time.Unix(2, 0), []packetResult{{size: 100}}) {
		t.Error("cut without evidence of a queue")
	}
	if c.target() != startBitrate {
		t.Errorf("target %d, want %d", c.target(), startBitrate)
	}
}
