package stream

import (
	"bytes"
	"testing"

	"github.com/pion/rtp/codecs"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/streampb"
)

// What a packet costs beside RTP header, extensions and payload: RTX, SRTP with AES-GCM, UDP, IPv6.
const (
	rtxBytes, srtpBytes, udpBytes, ipv6Bytes = 2, 16, 8, 40
	laterExtensions                          = 4 + 3 // abs-send-time and transport sequence number, set by the library
	leastMTU                                 = 1280  // RFC 8200 section 5
)

func TestPacketsOfAVP8Frame(t *testing.T) {
	x := extensions{playoutDelay: 5, colorSpace: 8}
	data := bytes.Repeat([]byte{0x10, 0x20, 0x30}, 5000)
	p := newPacketizer(encode.VP8)
	for _, key := range []bool{true, false} {
		packets, err := p.packets(frame{data: data, key: key, record: &streampb.FrameRecord{RtpTimestamp: 77}}, x)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for i, packet := range packets {
			last := i == len(packets)-1
			if packet.Timestamp != 77 || packet.Marker != last || packet.SequenceNumber != packets[0].SequenceNumber+uint16(i) {
				t.Fatalf("packet %d of %d has header %v", i, len(packets), packet.Header)
			}
			if size := packet.MarshalSize() + laterExtensions + rtxBytes + srtpBytes + udpBytes + ipv6Bytes; size > leastMTU {
				t.Fatalf("packet %d takes %d bytes of IPv6 path, want at most %d", i, size, leastMTU)
			}
			if !bytes.Equal(packet.GetExtension(x.playoutDelay), playoutDelay[:]) {
				t.Errorf("packet %d does not ask for immediate playout", i)
			}
			if has := packet.GetExtension(x.colorSpace) != nil; has != (key && last) {
				t.Errorf("key %v, packet %d of %d: colour space %v", key, i, len(packets), has)
			}
			var vp8 codecs.VP8Packet
			payload, err := vp8.Unmarshal(packet.Payload)
			if err != nil {
				t.Fatal(err)
			}
			if vp8.I != 0 {
				t.Error("there is a picture id")
			}
			got = append(got, payload...)
		}
		if !bytes.Equal(got, data) {
			t.Error("the packets do not make up the frame")
		}
	}
}

func TestPacketsOfAnH264Frame(t *testing.T) {
	start := []byte{0, 0, 0, 1}
	slice := append([]byte{0x65}, bytes.Repeat([]byte{0xAB}, 4000)...)
	au := bytes.Join([][]byte{nil, {0x67, 1, 2, 3}, {0x68, 4, 5}, slice}, start)
	packets, err := newPacketizer(encode.H264).packets(frame{data: au, key: true, record: &streampb.FrameRecord{}}, extensions{})
	if err != nil {
		t.Fatal(err)
	}
	const stapA, fuA = 24, 28 // RFC 6184 section 5.2
	var got []byte
	var depacketizer codecs.H264Packet
	for i, packet := range packets {
		if packet.Extension {
			t.Error("there is an extension that was not negotiated")
		}
		want := byte(fuA)
		if i == 0 {
			want = stapA
		}
		if kind := packet.Payload[0] & 0x1f; kind != want {
			t.Errorf("packet %d has type %d, want %d", i, kind, want)
		}
		part, err := depacketizer.Unmarshal(packet.Payload)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, part...)
	}
	if !bytes.Equal(got, au) {
		t.Error("the packets do not make up the access unit")
	}
}
