// Package stream connects one render worker to its viewer by WebRTC: video out, poses and scene messages in. It is the
// only importer of pion. It moves bytes: it neither draws, encodes nor knows what is in the scene.
package stream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/rtpfb"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/mailbox"
	"github.com/heliograph/heliograph/internal/streampb"
)

// How long ICE may be silent. A closed browser tab is noticed after disconnectedAfter+failedAfter at the latest.
const (
	disconnectedAfter = 3 * time.Second
	failedAfter       = 2 * time.Second
	keepAliveEvery    = time.Second
	connectWithin     = 15 * time.Second
)

const (
	playoutDelayURI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	absSendTimeURI  = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
	colorSpaceURI   = "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
)

const (
	clockRate   = 90_000  // RTP ticks per second of every video codec
	payloadType = 102     // the only codec offered back; its number is ours to choose only if the offer has none
	maxOffer    = 1 << 18 // bytes of SDP
)

// Config says on which sockets to serve and what can be encoded.
type Config struct {
	UDP    []net.PacketConn // all media of all peers; the address of each becomes a candidate, so none may be unspecified
	TCP    net.Listener     // ICE-TCP (RFC 6544) connections to the same addresses, see SplitTCP; nil = UDP only
	Codecs []encode.Codec   // best first
	Logger *slog.Logger

	// PublicIP is where viewers find the one socket of UDP, and TCP, on the same ports, behind a network address translation
	// one to one; it is in the candidates in place of the socket's own. Empty: there is none.
	PublicIP string
}

// Server accepts viewers on some UDP sockets and one TCP port.
type Server struct {
	c   Config
	ips []net.IP // of the candidates
	udp ice.UDPMux
	tcp ice.TCPMux
}

// NewServer returns a server on c's sockets. The ICE library reads them from here on, until Close.
func NewServer(c Config) (*Server, error) {
	if len(c.Codecs) == 0 {
		return nil, errors.New("no video encoder: install libopenh264 or libvpx")
	}
	if c.PublicIP != "" && len(c.UDP) != 1 {
		return nil, fmt.Errorf("%d UDP sockets cannot share the public address %s", len(c.UDP), c.PublicIP)
	}
	s := &Server{c: c}
	for _, u := range c.UDP {
		a, ok := u.LocalAddr().(*net.UDPAddr)
		if !ok || a.IP.IsUnspecified() {
			return nil, fmt.Errorf("%v is not a UDP address that a viewer can reach", u.LocalAddr())
		}
		s.ips = append(s.ips, a.IP)
	}
	// One mux a socket, so that an answer leaves from the address that was asked.
	muxes := make([]ice.UDPMux, len(c.UDP))
	for i, u := range c.UDP {
		muxes[i] = webrtc.NewICEUDPMux(quiet.NewLogger("ice"), u)
	}
	s.udp = ice.NewMultiUDPMuxDefault(muxes...)
	if c.TCP != nil {
		s.tcp = webrtc.NewICETCPMux(quiet.NewLogger("ice"), c.TCP, 64)
	}
	return s, nil
}

// quiet silences the library's own log: what matters comes back as errors and states.
var quiet = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}

// Close ends every peer's transport and closes all sockets. It returns when the sockets' readers are gone.
func (s *Server) Close() error {
	err := s.udp.Close()
	if s.tcp != nil {
		err = errors.Join(err, s.tcp.Close())
	}
	for _, u := range s.c.UDP {
		err = errors.Join(err, u.Close())
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Accept answers an SDP offer (RFC 8829; WHEP, without trickle): the answer holds all candidates. The peer must be Run
// or Closed. An offer that cannot be answered is an *arr.Error with CodeBadRequest.
func (s *Server) Accept(ctx context.Context, offer string) (*Peer, string, error) {
	codec, err := s.choose(offer)
	if err != nil {
		return nil, "", err
	}
	repairs := &rtx{}
	api, err := s.api(codec, repairs)
	if err != nil {
		return nil, "", err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, "", fmt.Errorf("create peer connection: %w", err)
	}
	p, answer, err := s.negotiate(ctx, pc, codec, repairs, offer)
	if err != nil {
		return nil, "", errors.Join(err, pc.GracefulClose())
	}
	return p, answer, nil
}

func (s *Server) negotiate(ctx context.Context, pc *webrtc.PeerConnection, codec encode.Codec, repairs *rtx, offer string) (
	*Peer, string, error,
) {
	track, err := webrtc.NewTrackLocalStaticRTP(capability(codec), "video", "heliograph")
	if err != nil {
		return nil, "", fmt.Errorf("create track: %w", err)
	}
	sender, err := pc.AddTrack(track)
	if err != nil {
		return nil, "", fmt.Errorf("add track: %w", err)
	}
	p := &Peer{
		id: newID(), codec: codec, pc: pc, track: track, sender: sender, log: s.c.Logger, epoch: time.Now(),
		poses:     mailbox.NewLatest[*streampb.Pose](),
		messages:  make(chan *streampb.ClientMessage, messageQueue),
		frames:    mailbox.NewRing[frame](frameQueue, mailbox.DropAll),
		outbox:    newOutbox(),
		control:   newController(),
		history:   newHistory(),
		repairs:   repairs,
		keyAsked:  make(chan struct{}, 1),
		connected: make(chan struct{}),
		over:      make(chan struct{}),
	}
	p.listen()
	bad := func(err error) error {
		return arr.Errorf(arr.CodeBadRequest, "The SDP offer cannot be answered: %v", err)
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return nil, "", bad(err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return nil, "", bad(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return nil, "", bad(err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	return p, pc.LocalDescription().SDP, nil
}

// choose returns the best codec that both sides have.
func (s *Server) choose(offer string) (encode.Codec, error) {
	if len(offer) > maxOffer {
		return "", arr.Errorf(arr.CodeBadRequest, "The SDP offer is larger than %d bytes.", maxOffer)
	}
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(offer); err != nil {
		return "", arr.Errorf(arr.CodeBadRequest, "The SDP offer is malformed.")
	}
	var video *sdp.MediaDescription
	for _, m := range desc.MediaDescriptions {
		if m.MediaName.Media == "video" {
			video = m
			break
		}
	}
	if video == nil {
		return "", arr.Errorf(arr.CodeBadRequest, "The SDP offer has no video section.")
	}
	for _, codec := range s.c.Codecs {
		if offers(video, codec) {
			return codec, nil
		}
	}
	return "", arr.Errorf(arr.CodeBadRequest, "The SDP offer has none of the codecs that this worker can make: %v.", s.c.Codecs)
}

// offers reports whether m has a payload type that codec's stream fits. For H.264 that is packetization mode 1 with a
// profile that decodes constrained baseline: 42xxxx (RFC 6184 section 8.1).
func offers(m *sdp.MediaDescription, codec encode.Codec) bool {
	formats, parameters := map[string]bool{}, map[string]string{}
	for _, a := range m.Attributes {
		pt, value, _ := strings.Cut(a.Value, " ")
		switch {
		case a.Key == "rtpmap" && strings.EqualFold(value, string(codec)+"/90000"):
			formats[pt] = true
		case a.Key == "fmtp":
			parameters[pt] = strings.ToLower(value)
		}
	}
	for pt := range formats {
		if codec != encode.H264 {
			return true
		}
		fmtp := strings.Split(strings.ReplaceAll(parameters[pt], " ", ""), ";")
		if slices.Contains(fmtp, "packetization-mode=1") &&
			slices.ContainsFunc(fmtp, func(p string) bool { return strings.HasPrefix(p, "profile-level-id=42") }) {
			return true
		}
	}
	return false
}

func capability(codec encode.Codec) webrtc.RTPCodecCapability {
	c := webrtc.RTPCodecCapability{MimeType: "video/" + string(codec), ClockRate: clockRate, RTCPFeedback: []webrtc.RTCPFeedback{
		{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}, {Type: "transport-cc"},
	}}
	if codec == encode.H264 {
		c.SDPFmtpLine = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
	}
	return c
}

// api makes the library's objects for one peer: one codec, feedback, full ICE on the shared sockets.
func (s *Server) api(codec encode.Codec, repairs *rtx) (*webrtc.API, error) {
	var media webrtc.MediaEngine
	err := media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: capability(codec), PayloadType: payloadType},
		webrtc.RTPCodecTypeVideo)
	repair := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: clockRate, SDPFmtpLine: fmt.Sprintf("apt=%d", payloadType)}
	err = errors.Join(err, media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: repair, PayloadType: payloadType + 1},
		webrtc.RTPCodecTypeVideo))
	for _, uri := range []string{playoutDelayURI, absSendTimeURI, colorSpaceURI} {
		err = errors.Join(err, media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo))
	}
	var registry interceptor.Registry
	feedback, ferr := rtpfb.NewInterceptor(rtpfb.WithLoggerFactory(quiet))
	registry.Add(feedback) // before the one that numbers packets: it must see the numbers
	err = errors.Join(err, ferr, webrtc.ConfigureTWCCHeaderExtensionSender(&media, &registry))
	registry.Add(repairs)                                          // after both: repairs are numbered and reported, too
	err = errors.Join(err, webrtc.ConfigureRTCPReports(&registry)) // sender reports count the stream without its repairs
	if err != nil {
		return nil, fmt.Errorf("configure media: %w", err)
	}

	var settings webrtc.SettingEngine
	settings.LoggerFactory = quiet
	settings.SetICETimeouts(disconnectedAfter, failedAfter, keepAliveEvery)
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return slices.ContainsFunc(s.ips, ip.Equal) })
	if s.c.PublicIP != "" {
		err := settings.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
			External: []string{s.c.PublicIP}, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace,
		})
		if err != nil {
			return nil, fmt.Errorf("set the public address: %w", err)
		}
	}
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	settings.SetICEUDPMux(s.udp)
	if s.tcp != nil {
		settings.SetICETCPMux(s.tcp)
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	settings.SetNetworkTypes(networks)
	return webrtc.NewAPI(webrtc.WithMediaEngine(&media), webrtc.WithInterceptorRegistry(&registry), webrtc.WithSettingEngine(settings)), nil
}

func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
