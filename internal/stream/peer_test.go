package stream

import (
	"testing"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/mailbox"
	"github.com/heliograph/heliograph/internal/streampb"
)

// connectedPeer is a peer whose viewer is connected and whose path takes nothing.
func connectedPeer() *Peer {
	p := &Peer{
		frames: mailbox.NewRing[frame](frameQueue, mailbox.DropAll), keyAsked: make(chan struct{}, 1),
		connected: make(chan struct{}), over: make(chan struct{}),
	}
	close(p.connected)
	return p
}

func sendFrames(t *testing.T, p *Peer, n int, key bool) {
	t.Helper()
	for range n {
		if err := p.SendFrame(encode.AccessUnit{Data: []byte{1}, Key: key}, &streampb.FrameRecord{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAKeyFrameReplacesWhatWaits(t *testing.T) {
	p := connectedPeer()
	sendFrames(t, p, frameQueue-1, false)
	sendFrames(t, p, 1, true)
	if f, ok := p.frames.Take(); !ok || !f.key || p.frames.Len() != 0 {
		t.Fatalf("first waiting frame is a key frame: %v, and %d more wait, want the key frame alone", f.key, p.frames.Len())
	}
	if n := p.counts.dropped.Load(); n != frameQueue-1 {
		t.Errorf("%d frames dropped, want %d", n, frameQueue-1)
	}
	if p.KeyFrameWanted() {
		t.Error("another key frame is wanted")
	}
}

func TestAFullQueueStartsOverFromAKeyFrame(t *testing.T) {
	p := connectedPeer()
	sendFrames(t, p, frameQueue+1, false)
	if !p.KeyFrameWanted() || p.KeyFrameWanted() {
		t.Error("a key frame must be wanted, once")
	}
	sendFrames(t, p, 1, false)
	if n := p.frames.Len(); n != 0 {
		t.Fatalf("%d frames wait that no viewer can decode", n)
	}
	sendFrames(t, p, 1, true)
	sendFrames(t, p, 1, false)
	if n := p.frames.Len(); n != 2 {
		t.Errorf("%d frames wait after a key frame, want 2", n)
	}
	if n := p.counts.dropped.Load(); n != frameQueue+2 {
		t.Errorf("%d frames dropped, want %d", n, frameQueue+2)
	}
}
