package stream

import (
	"time"
)

// Limits of the target rate, bits per second.
const (
	minBitrate   = 300_000
	startBitrate = 8_000_000
	maxBitrate   = 20_000_000
)

// How the controller reacts. Delays are queueing delays: one-way delay above the lowest seen lately.
const (
	baseWindow    = 30 * time.Second       // a route's base delay is the minimum over this
	rateWindow    = 500 * time.Millisecond // delivered rate and loss are averages over this
	cutWindow     = 200 * time.Millisecond // ... and this, where a full queue must be noticed at once
	queueFull     = 20 * time.Millisecond  // with cutLoss: the bottleneck's queue overflows
	queueGrowing  = 35 * time.Millisecond  // back off
	queueLong     = 80 * time.Millisecond  // back off hard
	queueEmpty    = 12 * time.Millisecond  // room to grow
	cutLoss       = 0.12
	cutPackets    = 8
	toleratedLoss = 0.08 // random loss, as on radio links, is repaired and not fled from
	holdAfterDrop = 700 * time.Millisecond
	forgetCeiling = 5 * time.Second // after this long without trouble the last trouble's rate is history
	growFast      = 0.5             // per second, away from the rate of the last trouble
	growGently    = 0.08            // per second, near it
)

// packetResult is what transport-wide feedback says of one packet.
type packetResult struct {
	size    int
	sent    time.Duration // on the sender's clock
	arrived bool
	arrival time.Duration // on the receiver's clock, whose zero is unknown
}

// observation is a packetResult with the time at which it became known.
type observation struct {
	at   time.Time
	size int
	ok   bool
}

// controller chooses the bit rate for one video stream to one viewer from transport-wide feedback. It follows the
// bottleneck's queue (delay) first and loss second, never exceeds by much what was delivered lately, and remembers the
// rate of the last trouble to approach it gently. The bundled estimator of our WebRTC library froze for seconds when a
// link shrank, hence an own one. Not safe for concurrent use; time comes in as an argument.
type controller struct {
	rate    float64
	ceiling float64 // rate at the last trouble, 0 = none
	seen    []observation
	base    []struct { // minimum delay of each second of baseWindow
		at    time.Time
		delay time.Duration
	}
	queue     time.Duration // smoothed standing queue
	loss      float64       // over rateWindow
	delivered float64       // bits per second over rateWindow
	lastDrop  time.Time
	lastGrow  time.Time
}

func newController() *controller { return &controller{rate: startBitrate} }

// target is the present rate in bits per second.
func (c *controller) target() int { return int(c.rate) }

// onFeedback takes one feedback report. cut is true when the bottleneck overflowed: what is in flight is mostly lost,
// so a key frame at the new rate is cheaper than repairing the backlog.
func (c *controller) onFeedback(now time.Time, packets []packetResult) (cut bool) {
	least, any := time.Duration(0), false
	for _, p := range packets {
		c.seen = append(c.seen, observation{now, p.size, p.arrived})
		if d := p.arrival - p.sent; p.arrived && (!any || d < least) {
			least, any = d, true
		}
	}
	for len(c.seen) > 0 && now.Sub(c.seen[0].at) > rateWindow {
		c.seen = c.seen[1:]
	}
	if !any {
		return false
	}
	// The least delayed packet of a report sees only the standing queue, not its own frame's burst.
	standing := least - c.baseDelay(now, least)
	c.queue = min(standing, (3*c.queue+standing)/4)

	recent, recentLoss, recentLost := c.measure(now, cutWindow)
	c.delivered, c.loss, _ = c.measure(now, rateWindow)
	sinceDrop := now.Sub(c.lastDrop)
	switch {
	case recentLoss > cutLoss && recentLost > cutPackets && c.queue > queueFull && sinceDrop > 300*time.Millisecond:
		c.drop(now, min(0.6*c.rate, 0.7*recent))
		cut = true
	case c.queue > queueGrowing && sinceDrop > 150*time.Millisecond:
		factor := 0.85
		if c.queue > queueLong {
			factor = 0.65
		}
		c.drop(now, min(factor*recent, 0.95*c.rate))
	case c.queue < queueEmpty && c.loss < toleratedLoss && sinceDrop > holdAfterDrop:
		c.grow(now, sinceDrop)
	}
	c.lastGrow = now
	c.rate = min(max(c.rate, minBitrate), maxBitrate)
	return cut
}

func (c *controller) drop(now time.Time, to float64) {
	c.ceiling = c.rate
	c.rate = to
	c.lastDrop = now
}

func (c *controller) grow(now time.Time, sinceDrop time.Duration) {
	if sinceDrop > forgetCeiling {
		c.ceiling = 0
	}
	perSecond := growFast
	if c.ceiling > 0 && c.rate > 0.8*c.ceiling {
		perSecond = growGently
	}
	dt := min(now.Sub(c.lastGrow), rateWindow).Seconds()
	next := c.rate * (1 + perSecond*dt)
	// A still picture sends little: do not grow on rates that nobody tried.
	if next <= 1.5*c.delivered+150_000 {
		c.rate = next
	}
}

// baseDelay records delay and returns the minimum over baseWindow.
func (c *controller) baseDelay(now time.Time, delay time.Duration) time.Duration {
	if n := len(c.base); n == 0 || now.Sub(c.base[n-1].at) > time.Second {
		c.base = append(c.base, struct {
			at    time.Time
			delay time.Duration
		}{now, delay})
	} else {
		c.base[n-1].delay = min(c.base[n-1].delay, delay)
	}
	for now.Sub(c.base[0].at) > baseWindow && len(c.base) > 1 {
		c.base = c.base[1:]
	}
	least := c.base[0].delay
	for _, b := range c.base {
		least = min(least, b.delay)
	}
	return least
}

// measure returns the delivered rate (bits per second), the loss ratio and the lost packets of the last window.
func (c *controller) measure(now time.Time, window time.Duration) (rate, loss float64, lost int) {
	bytes, ok := 0, 0
	first := now
	for _, o := range c.seen {
		if now.Sub(o.at) > window {
			continue
		}
		if o.at.Before(first) {
			first = o.at
		}
		if o.ok {
			bytes += o.size
			ok++
		} else {
			lost++
		}
	}
	span := max(now.Sub(first), 80*time.Millisecond)
	return float64(8*bytes) / span.Seconds(), float64(lost) / float64(max(1, ok+lost)), lost
}
