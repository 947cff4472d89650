package worker

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/token"
)

// maxOffer bounds an SDP offer; browsers send about 5 kB.
const maxOffer = 64 << 10

// handshakeRoutes is what the handshake port serves beside media: WHEP (draft-ietf-wish-whep) with an offer by the
// viewer, whose data channels it holds.
func (s *Session) handshakeRoutes(api *rest) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", api.open(healthz))
	mux.Handle("POST /whep", api.guard(token.ActionRender, s.postOffer))
	mux.Handle("DELETE /whep/{peer}", api.guard(token.ActionRender, func(w http.ResponseWriter, r *http.Request) error {
		if err := s.hub.hangUp(r.PathValue("peer")); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK) // the draft's answer to DELETE, section 4.4
		return nil
	}))
	return api.secure(mux)
}

func (s *Session) postOffer(w http.ResponseWriter, r *http.Request) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/sdp" {
		return arr.Errorf(arr.CodeBadRequest, "The body must be an SDP offer (Content-Type: application/sdp).")
	}
	takeover := false
	if q := r.URL.Query().Get("takeover"); q != "" {
		var err error
		if takeover, err = strconv.ParseBool(q); err != nil {
			return arr.Errorf(arr.CodeBadRequest, "takeover is true or false.")
		}
	}
	offer, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOffer))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return arr.Errorf(arr.CodeBadRequest, "The SDP offer is larger than %d bytes.", maxOffer)
	}
	if err != nil {
		return arr.Errorf(arr.CodeBadRequest, "The SDP offer could not be read.")
	}
	id, answer, err := s.hub.join(r.Context(), string(offer), takeover)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", "/whep/"+id)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer) // fails only when the client is gone; the peer then times out
	return nil
}
