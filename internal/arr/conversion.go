package arr

import (
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
)

// ConversionID is chosen by the client, in the form of a SessionID.
type ConversionID string

// ConversionKey names one conversion of one account.
type ConversionKey struct {
	Account AccountID
	ID      ConversionID
}

func (k ConversionKey) String() string { return string(k.Account) + "/" + string(k.ID) }

// ParseConversionID checks the character set and length of contract section 3.
func ParseConversionID(s string) (ConversionID, error) {
	if !idPattern.MatchString(s) {
		return "", Errorf(CodeBadRequest, "The conversion ID must have 1 to 256 characters out of A-Z, a-z, 0-9, '_' and '-'.")
	}
	return ConversionID(s), nil
}

// ConversionStatus is the state of a conversion; see Conversion.Transition for the allowed moves.
type ConversionStatus string

// The states of a conversion. The contract has a fifth, Cancelled, that nothing in it produces; clients do not know it and
// poll for ever (contract section 5), so that a cancelled conversion is Failed with CodeConversionCancelled.
const (
	ConversionNotStarted ConversionStatus = "NotStarted" // accepted and durable; waits for its turn
	ConversionRunning    ConversionStatus = "Running"    // its files are fetched, converted or written
	ConversionSucceeded  ConversionStatus = "Succeeded"  // the asset is in the output container
	ConversionFailed     ConversionStatus = "Failed"     // Conversion.Error says why
)

// Terminal reports whether s is an end state. End states are irreversible.
func (s ConversionStatus) Terminal() bool { return s == ConversionSucceeded || s == ConversionFailed }

// InputLocation says where a source model is.
type InputLocation struct {
	ContainerURI string // without a signature
	BlobPrefix   string // "" or ends in "/"; of conversions of several files, everything below is fetched
	AssetPath    string // of the model, relative to BlobPrefix
}

// OutputLocation says where an asset goes.
type OutputLocation struct {
	ContainerURI  string // without a signature
	BlobPrefix    string // "" or ends in "/"
	AssetFilename string // ends in AssetExtension
}

// ConversionSettings are what a conversion is asked to do, without the secrets that it takes. They are comparable.
type ConversionSettings struct {
	Input  InputLocation
	Output OutputLocation
}

// AssetExtension ends the names of assets.
const AssetExtension = ".arrAsset"

// maxBlobName is the longest name of a blob in Azure, in characters.
const maxBlobName = 1024

// Normalize checks the settings and brings them into the form in which the service shows them (contract section 5): a
// prefix ends in "/", and the asset is named after the model unless it is named.
func (s ConversionSettings) Normalize() (ConversionSettings, error) {
	fail := func(member, format string, args ...any) (ConversionSettings, error) {
		e := Errorf(CodeBadRequest, format, args...)
		e.Target = member
		return ConversionSettings{}, e
	}
	in, out := &s.Input, &s.Output
	for _, c := range []struct{ member, uri string }{
		{"inputLocation.storageContainerUri", in.ContainerURI}, {"outputLocation.storageContainerUri", out.ContainerURI},
	} {
		u, err := url.Parse(c.uri)
		switch {
		case err != nil || u.Scheme == "" || u.Host == "" && u.Path == "":
			return fail(c.member, "The storageContainerUri is not an absolute URI.")
		case u.RawQuery != "" || u.Fragment != "" || u.User != nil: // it is stored, shown and logged
			return fail(c.member, "The storageContainerUri must have no query and no credentials: a signature has a member of its own.")
		}
	}
	for _, p := range []struct {
		member string
		prefix *string
	}{{"inputLocation.blobPrefix", &in.BlobPrefix}, {"outputLocation.blobPrefix", &out.BlobPrefix}} {
		if *p.prefix == "" {
			continue
		}
		*p.prefix = strings.TrimRight(*p.prefix, "/") + "/"
		if !isBlobPath(strings.TrimSuffix(*p.prefix, "/")) {
			return fail(p.member, "The blobPrefix is not the path of a folder in a container.")
		}
	}
	if !isBlobPath(in.AssetPath) {
		return fail("inputLocation.relativeInputAssetPath", "The relativeInputAssetPath is not a path below the blobPrefix.")
	}
	if out.AssetFilename == "" {
		name := path.Base(in.AssetPath)
		out.AssetFilename = strings.TrimSuffix(name, path.Ext(name)) + AssetExtension
	}
	stem, ok := strings.CutSuffix(out.AssetFilename, AssetExtension)
	if !ok || stem == "" || strings.ContainsAny(out.AssetFilename, `/\`) || !isBlobPath(out.AssetFilename) {
		return fail("outputLocation.outputAssetFilename", "The outputAssetFilename must be the name of a file that ends in %s.", AssetExtension)
	}
	return s, nil
}

// isBlobPath reports whether s is a path that means the same in a container and in a file system: no empty, "." or ".."
// element, and nothing invisible.
func isBlobPath(s string) bool {
	if s == "" || len(s) > maxBlobName || strings.ContainsFunc(s, unicode.IsControl) {
		return false
	}
	for element := range strings.SplitSeq(s, "/") {
		if element == "" || element == "." || element == ".." {
			return false
		}
	}
	return true
}

// Conversion is one conversion as the contract describes it.
type Conversion struct {
	Key       ConversionKey
	Settings  ConversionSettings // normalized
	Status    ConversionStatus
	CreatedAt time.Time
	StartedAt time.Time // zero until Running
	EndedAt   time.Time // zero until terminal

	Error *Error // set exactly when Status is Failed
}

// OutputAssetURI is where the asset of a Succeeded conversion is; "" in every other state.
func (c *Conversion) OutputAssetURI() string {
	if c.Status != ConversionSucceeded {
		return ""
	}
	o := c.Settings.Output
	return strings.TrimRight(o.ContainerURI, "/") + "/" + o.BlobPrefix + o.AssetFilename
}

// Transition moves the conversion to status to at time now. Moving to the present state is a no-op; a move that the state
// machine forbids is CodeConflict and changes nothing.
func (c *Conversion) Transition(to ConversionStatus, now time.Time) error {
	if c.Status == to {
		return nil
	}
	if c.Status.Terminal() || to == ConversionNotStarted || c.Status == ConversionNotStarted && to == ConversionSucceeded {
		return Errorf(CodeConflict, "A conversion in state %s cannot become %s.", c.Status, to)
	}
	c.Status = to
	switch {
	case to == ConversionRunning:
		c.StartedAt = now
	case to.Terminal():
		c.EndedAt = now
	}
	return nil
}

// ConversionProgress says how far a conversion has come.
type ConversionProgress struct {
	Status    ConversionStatus
	Stage     string        // what is being done, in a word: "waiting", "download", what the converter names, "upload", "done"
	StageDone float64       // of the stage, 0..1
	Rate      float64       // of the stage, Units a second; 0 = unknown
	Unit      string        // "bytes" or "triangles"; "" = unknown
	Done      float64       // of the whole, 0..1: an estimate, since nobody knows how long the stages to come will take
	Ahead     int           // while waiting: how many conversions come before it
	Attempt   int           // 1 for the first; 0 while waiting
	Elapsed   time.Duration // since Running; frozen at the end
}
