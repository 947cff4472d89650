package encodetest

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heliograph/heliograph/internal/encode"
)

// Open opens an encoder under test.
type Open func(encode.Config) (encode.Encoder, error)

const (
	width, height = 320, 180
	fps           = 30
	rate          = 1_500_000
	minPSNR       = 30 // dB of luma at the rate above, for the moving pattern of Frame
)

// Frame draws test picture i: a moving gradient with a moving block, with padding bytes at the end of every row.
func Frame(w, h, i, padding int) encode.Frame {
	sy, sc := w+padding, w/2+padding
	f := encode.Frame{
		Y: bytes.Repeat([]byte{0xAA}, sy*h), U: bytes.Repeat([]byte{0xAA}, sc*h/2), V: bytes.Repeat([]byte{0xAA}, sc*h/2),
		StrideY: sy, StrideUV: sc, TimestampMS: int64(i) * 1000 / fps,
	}
	for y := range h {
		for x := range w {
			v := 60 + 40*math.Sin(float64(x+2*i)/17) + 30*math.Cos(float64(y-i)/11)
			if bx, by := (3*i)%w, h/3; x >= bx && x < bx+w/8 && y >= by && y < by+h/6 {
				v = 200
			}
			f.Y[y*sy+x] = byte(v)
		}
	}
	for y := range h / 2 {
		for x := range w / 2 {
			f.U[y*sc+x], f.V[y*sc+x] = byte(100+(x+i)%50), byte(150-(y+i)%50)
		}
	}
	return f
}

// PSNR compares the luma of f and p in decibels.
func PSNR(f encode.Frame, p *Picture) float64 {
	var sum float64
	for y := range p.Height {
		for x := range p.Width {
			d := float64(f.Y[y*f.StrideY+x]) - float64(p.Y[y*p.Width+x])
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255*float64(p.Width*p.Height)/max(sum, 1))
}

// Run checks every promise of encode.Encoder.
func Run(t *testing.T, codec encode.Codec, open Open) {
	config := encode.Config{Width: width, Height: height, BitsPerSecond: rate, MaxFPS: fps, Threads: 2}
	start := func(t *testing.T, c encode.Config) encode.Encoder {
		t.Helper()
		e, err := open(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		if e.Codec() != codec {
			t.Fatalf("codec is %q, want %q", e.Codec(), codec)
		}
		return e
	}
	encodeFrame := func(t *testing.T, e encode.Encoder, f encode.Frame, key bool) encode.AccessUnit {
		t.Helper()
		au, err := e.Encode(f, key)
		if err != nil {
			t.Fatal(err)
		}
		if len(au.Data) == 0 {
			t.Fatal("a frame was skipped")
		}
		return au
	}

	t.Run("pictures come back without delay", func(t *testing.T) {
		for _, threads := range []int{1, 2, 4} {
			c := config
			c.Threads = threads
			e := start(t, c)
			d, err := NewDecoder(codec)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for i := range 30 {
				f := Frame(width, height, i, 0)
				p, err := d.Decode(encodeFrame(t, e, f, false).Data)
				if err != nil {
					t.Fatalf("%d threads, frame %d: %v", threads, i, err)
				}
				if p.Width != width || p.Height != height {
					t.Fatalf("decoded %dx%d", p.Width, p.Height)
				}
				if psnr := PSNR(f, p); psnr < minPSNR {
					t.Errorf("%d threads, frame %d: PSNR %.1f dB, want >= %d", threads, i, psnr, minPSNR)
				}
			}
		}
	})

	t.Run("the first frame is a key frame, others on demand", func(t *testing.T) {
		e := start(t, config)
		for i := range 40 {
			want := i == 0 || i == 17
			if au := encodeFrame(t, e, Frame(width, height, i, 0), i == 17); au.Key != want {
				t.Errorf("frame %d: key %v, want %v", i, au.Key, want)
			}
		}
	})

	t.Run("a decoder can join at a key frame", func(t *testing.T) {
		e := start(t, config)
		for i := range 9 {
			encodeFrame(t, e, Frame(width, height, i, 0), false)
		}
		d, err := NewDecoder(codec)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		f := Frame(width, height, 9, 0)
		p, err := d.Decode(encodeFrame(t, e, f, true).Data)
		if err != nil {
			t.Fatal(err)
		}
		if psnr := PSNR(f, p); psnr < minPSNR {
			t.Errorf("PSNR %.1f dB, want >= %d", psnr, minPSNR)
		}
	})

	t.Run("padding between rows is not encoded", func(t *testing.T) {
		c := config
		c.Threads = 1
		a, b := start(t, c), start(t, c)
		for i := range 5 {
			x := bytes.Clone(encodeFrame(t, a, Frame(width, height, i, 0), false).Data)
			if y := encodeFrame(t, b, Frame(width, height, i, 24), false).Data; !bytes.Equal(x, y) {
				t.Fatalf("frame %d differs with padded rows", i)
			}
		}
	})

	t.Run("the bit rate is obeyed, also after a change", func(t *testing.T) {
		e := start(t, encode.Config{Width: 640, Height: 360, BitsPerSecond: 2_000_000, MaxFPS: fps, Threads: 1})
		measure := func(target, from int) {
			total := 0
			const settle, n = 30, 90
			for i := range settle + n {
				au := encodeFrame(t, e, noise(Frame(640, 360, from+i, 0), from+i), false)
				if i >= settle {
					total += len(au.Data)
				}
			}
			got := float64(total) * 8 * fps / n
			if math.Abs(got/float64(target)-1) > 0.25 {
				t.Errorf("rate %.0f kbit/s, want %d within 25 %%", got/1000, target/1000)
			}
		}
		measure(2_000_000, 0)
		if err := e.SetBitrate(1_200_000); err != nil {
			t.Fatal(err)
		}
		measure(1_200_000, 200)
		if err := e.SetBitrate(3_000_000); err != nil {
			t.Fatal(err)
		}
		measure(3_000_000, 400)
	})

	t.Run("memory stays bounded", func(t *testing.T) {
		pictures := []encode.Frame{Frame(width, height, 0, 0), Frame(width, height, 1, 0), Frame(width, height, 2, 0)}
		c := config
		c.Threads = 1
		cycle := func() {
			e := start(t, c)
			for i := range 60 {
				f := pictures[i%len(pictures)]
				f.TimestampMS = int64(i) * 1000 / fps
				encodeFrame(t, e, f, i%20 == 0)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 { // let the allocators reach their working size
			cycle()
		}
		// Measured: up to 4 MB without a leak; 22 MB (OpenH264) and 61 MB (libvpx) when encoders are not freed. A leak grows
		// each time, while what the allocators and other tests of the process do to the resident set comes and goes.
		const limit = 10 << 20
		var grown int
		for range 4 {
			before := residentBytes(t)
			for range 24 {
				cycle()
			}
			if grown = residentBytes(t) - before; grown <= limit {
				return
			}
		}
		t.Errorf("24 encoders of 60 frames each left %d MB, the fourth time in a row", grown>>20)
	})

	t.Run("bad configurations are refused", func(t *testing.T) {
		for _, c := range []encode.Config{
			{}, {Width: 321, Height: 180, BitsPerSecond: rate}, {Width: 320, Height: 8, BitsPerSecond: rate},
			{Width: 320, Height: 180}, {Width: 320, Height: 180, BitsPerSecond: rate, Threads: -1}, {Width: 20000, Height: 180, BitsPerSecond: rate},
		} {
			if e, err := open(c); err == nil {
				_ = e.Close()
				t.Errorf("%+v was accepted", c)
			}
		}
	})

	t.Run("bad frames are refused", func(t *testing.T) {
		e := start(t, config)
		good := Frame(width, height, 0, 0)
		short, narrow := good, good
		short.V = short.V[:10]
		narrow.StrideY = 10
		for _, f := range []encode.Frame{{}, short, narrow} {
			if _, err := e.Encode(f, false); err == nil {
				t.Error("a frame with short planes was accepted")
			}
		}
		encodeFrame(t, e, good, false)
	})

	t.Run("a closed encoder answers with errors", func(t *testing.T) {
		e := start(t, config)
		for range 2 {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.Encode(Frame(width, height, 0, 0), false); err == nil {
			t.Error("Encode after Close succeeded")
		}
		if err := e.SetBitrate(rate); err == nil {
			t.Error("SetBitrate after Close succeeded")
		}
	})
}

// residentBytes is the process's resident memory without Go's garbage: C allocations show nowhere else.
func residentBytes(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm") // proc(5): the second field is resident pages
	if err != nil {
		t.Skip(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(data), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}

// cpuTime is the CPU time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// noise makes a picture hard enough to need its bit rate.
func noise(f encode.Frame, seed int) encode.Frame {
	s := uint32(seed)*2654435761 + 1
	for i := range f.Y {
		s ^= s << 13
		s ^= s >> 17
		s ^= s << 5
		f.Y[i] = byte(int(f.Y[i]) + int(s%7) - 3)
	}
	return f
}

// Benchmark encodes 720p frames on one thread and reports, beside the time, the CPU time of the whole process per frame,
// which other programs on the machine disturb less.
func Benchmark(b *testing.B, open Open) {
	const w, h, variants = 1280, 720, 30
	e, err := open(encode.Config{Width: w, Height: h, BitsPerSecond: 8_000_000, MaxFPS: 60, Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	frames := make([]encode.Frame, variants)
	for i := range frames {
		frames[i] = Frame(w, h, i, 0)
	}
	bytes, cpu := 0, cpuTime(b)
	for i := 0; b.Loop(); i++ {
		f := frames[i%variants]
		f.TimestampMS = int64(i) * 1000 / 60
		au, err := e.Encode(f, false)
		if err != nil {
			b.Fatal(err)
		}
		bytes += len(au.Data)
	}
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N)/float64(time.Millisecond), "CPU-ms/frame")
	b.ReportMetric(float64(bytes)/float64(b.N)/1000, "kB/frame")
}
