package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/heliograph/heliograph/internal/arr"
)

// maxBody bounds a request body; the largest of the contract, with two signatures, has a few KiB.
const maxBody = 64 << 10

// validate checks parameters and body against the operation's schema. The generated decoder checks types only: without
// this, a missing member would read as zero.
func (s *Server) validate(route *routers.Route) middleware {
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc} // authenticate has done it
	var pathParams []string
	for _, p := range route.PathItem.Parameters {
		if p.Value.In == openapi3.ParameterInPath {
			pathParams = append(pathParams, p.Value.Name)
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			values := make(map[string]string, len(pathParams))
			for _, name := range pathParams {
				values[name] = r.PathValue(name)
			}
			err := normalizeBody(route.Operation, w, r)
			if err == nil {
				err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
					Request: r, PathParams: values, Route: route, Options: options,
				})
			}
			if err != nil {
				s.failForm(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// normalizeBody replaces the body by the members that the operation knows. What is left out: members of other names, which
// clients may send (contract section 4), and with them the misspellings that Go's decoder, other than the contract, would
// take for a known member ("SIZE").
func normalizeBody(op *openapi3.Operation, w http.ResponseWriter, r *http.Request) error {
	if op.RequestBody == nil {
		return nil
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return err
	}
	var body map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber() // a number stays as it is written
	if err := dec.Decode(&body); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	dropUnknown(body, op.RequestBody.Value.Content["application/json"].Schema.Value)
	if text, err = json.Marshal(body); err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return nil
}

// dropUnknown takes the members that the schema does not know out of an object, and out of those in it.
func dropUnknown(object map[string]any, schema *openapi3.Schema) {
	for name, value := range object {
		known := schema.Properties[name]
		if known == nil {
			delete(object, name)
		} else if inner, ok := value.(map[string]any); ok {
			dropUnknown(inner, known.Value)
		}
	}
}

// failForm answers a request that is not what the schema says.
func (s *Server) failForm(w http.ResponseWriter, r *http.Request, err error) {
	s.fail(w, r, formError(r, err))
}

func formError(r *http.Request, err error) error {
	var e *openapi3filter.RequestError
	if errors.As(err, &e) && e.Parameter != nil {
		return parameterError(r, e.Parameter.Name)
	}
	// No 400 is documented for PATCH; its example of a 422 has this message (contract section 4).
	if r.Method == http.MethodPatch {
		return arr.Errorf(arr.CodeUnprocessableEntity, "The request was malformed.")
	}
	return arr.Errorf(arr.CodeBadRequest, "The request was malformed.")
}

func parameterError(r *http.Request, name string) error {
	version := r.URL.Query().Get("api-version")
	switch {
	case name == "session_id":
		_, err := arr.ParseSessionID(r.PathValue(name))
		return err
	case name == "conversion_id":
		_, err := arr.ParseConversionID(r.PathValue(name))
		return err
	case name != "api-version":
		e := arr.Errorf(arr.CodeBadRequest, "The parameter %s is malformed.", name)
		e.Target = name
		return e
	case version == "":
		return arr.Errorf(arr.CodeAPIVersionUnspecified, "An API version is required, but was not specified.")
	default:
		return arr.Errorf(arr.CodeUnsupportedAPIVersion, "The API version '%s' is not supported.", strings.ToValidUTF8(version, "?"))
	}
}

// checkIDs is the form check of the routes that are not in the contract.
func (s *Server) checkIDs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if strings.Contains(r.Pattern, "{session_id}") {
			_, err = arr.ParseSessionID(r.PathValue("session_id"))
		} else {
			_, err = arr.ParseConversionID(r.PathValue("conversion_id"))
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
