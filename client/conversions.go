package client

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ConversionStatus is the state of a conversion.
type ConversionStatus string

// The states of a conversion. The last three are final; services of today never answer Cancelled.
const (
	ConversionNotStarted ConversionStatus = "NotStarted"
	ConversionRunning    ConversionStatus = "Running"
	ConversionCancelled  ConversionStatus = "Cancelled"
	ConversionFailed     ConversionStatus = "Failed"
	ConversionSucceeded  ConversionStatus = "Succeeded"
)

// Final reports whether the conversion has ended.
func (s ConversionStatus) Final() bool {
	return s == ConversionCancelled || s == ConversionFailed || s == ConversionSucceeded
}

// InputLocation says where a source model is.
type InputLocation struct {
	StorageContainerURI         string `json:"storageContainerUri"` // such as https://ACCOUNT.blob.core.windows.net/CONTAINER
	BlobPrefix                  string `json:"blobPrefix,omitempty"`
	RelativeInputAssetPath      string `json:"relativeInputAssetPath"`                // of the model, below BlobPrefix
	StorageContainerReadListSAS Secret `json:"storageContainerReadListSas,omitempty"` // "" = linked; never returned
}

// OutputLocation says where an asset goes.
type OutputLocation struct {
	StorageContainerURI      string `json:"storageContainerUri"`
	BlobPrefix               string `json:"blobPrefix,omitempty"`
	OutputAssetFilename      string `json:"outputAssetFilename,omitempty"`      // ends in .arrAsset; "" = the model's name
	StorageContainerWriteSAS Secret `json:"storageContainerWriteSas,omitempty"` // "" = linked; never returned
}

// ConversionSettings say what is converted to what.
type ConversionSettings struct {
	InputLocation  InputLocation  `json:"inputLocation"`
	OutputLocation OutputLocation `json:"outputLocation"`
}

// Conversion is a conversion as the service describes it.
type Conversion struct {
	ID           string             `json:"id"`
	CreationTime time.Time          `json:"creationTime"`
	Settings     ConversionSettings `json:"settings"`
	Output       *ConversionOutput  `json:"output,omitempty"` // when Succeeded
	Error        *Failure           `json:"error"`            // why Status is Failed
	Status       ConversionStatus   `json:"status"`
}

// ConversionOutput is what a conversion made.
type ConversionOutput struct {
	OutputAssetURI string `json:"outputAssetUri"`
}

// CreateConversion starts the conversion id, which the caller chooses as for a session, and returns it NotStarted. For an
// id that exists with the same settings, whatever the signatures, it returns that conversion; with other settings it is a
// Conflict.
func (c *Client) CreateConversion(ctx context.Context, id string, s ConversionSettings) (*Conversion, error) {
	body := struct {
		Settings ConversionSettings `json:"settings"`
	}{s}
	return c.conversion(ctx, request{method: http.MethodPut, path: conversionPath(id), body: body, repeatable: true})
}

// GetConversion returns the present state of a conversion, also after its end.
func (c *Client) GetConversion(ctx context.Context, id string) (*Conversion, error) {
	return c.conversion(ctx, request{method: http.MethodGet, path: conversionPath(id), repeatable: true})
}

// Conversions iterates over all conversions of the account, oldest first, fetching page by page. After an error it ends.
func (c *Client) Conversions(ctx context.Context) iter.Seq2[*Conversion, error] {
	return pages[Conversion](ctx, c, "conversions")
}

// CancelConversion ends a conversion that waits or runs; it is Failed then. Cancelling one that has ended is no error. It is
// an extension of Heliograph.
func (c *Client) CancelConversion(ctx context.Context, id string) error {
	return c.do(ctx, request{method: http.MethodPost, path: conversionPath(id) + "/:cancel", repeatable: true}, nil)
}

// DeleteConversion forgets a conversion and its log, and ends it if it has not ended; what it has written stays. It is an
// extension of Heliograph.
func (c *Client) DeleteConversion(ctx context.Context, id string) error {
	// Not repeatable: after a lost answer the second would be a NotFound.
	return c.do(ctx, request{method: http.MethodDelete, path: conversionPath(id)}, nil)
}

// ConversionProgress says how far a conversion has come. It is an extension of Heliograph.
type ConversionProgress struct {
	Status         ConversionStatus `json:"status"`
	Stage          string           `json:"stage"`           // what is being done, in a word
	StageDone      float64          `json:"stageDone"`       // of the stage, 0..1
	Done           float64          `json:"done"`            // of the whole, 0..1: an estimate
	Rate           float64          `json:"rate,omitempty"`  // Units a second; 0 = not known
	Unit           string           `json:"unit,omitempty"`  // "bytes" or "triangles"
	Ahead          int              `json:"ahead,omitempty"` // how many conversions come before it
	Attempt        int              `json:"attempt"`
	ElapsedSeconds float64          `json:"elapsedSeconds"`
}

// ConversionProgress returns how far the conversion has come.
func (c *Client) ConversionProgress(ctx context.Context, id string) (ConversionProgress, error) {
	var p ConversionProgress
	err := c.do(ctx, request{method: http.MethodGet, path: conversionPath(id) + "/progress", repeatable: true}, &p)
	return p, err
}

// ConversionLog returns the last lines of what was said while the conversion ran, MaxLogLines if lines is less than 1 or
// more than that. The caller closes it.
func (c *Client) ConversionLog(ctx context.Context, id string, lines int) (io.ReadCloser, error) {
	return c.log(ctx, conversionPath(id), lines)
}

// ConversionWaitOptions shape WaitConversion.
type ConversionWaitOptions struct {
	// Every is the time between polls; 0 starts at 100 ms and slows down to 2 s.
	Every time.Duration
	// Progress is called after every poll of a conversion that has not ended; may be nil. With it, the progress is asked
	// for too, which only Heliograph answers.
	Progress func(ConversionProgress)
}

// WaitConversion polls until the conversion has Succeeded. One that ends otherwise is an error: its *Failure if it has one.
func (c *Client) WaitConversion(ctx context.Context, id string, o ConversionWaitOptions) (*Conversion, error) {
	pause := o.Every
	if pause == 0 {
		pause = 100 * time.Millisecond
	}
	for {
		conv, err := c.GetConversion(ctx, id)
		if err != nil {
			return nil, err
		}
		switch {
		case conv.Status == ConversionSucceeded:
			return conv, nil
		case conv.Error != nil:
			return conv, fmt.Errorf("conversion %s: %w", id, conv.Error)
		case conv.Status.Final():
			return conv, fmt.Errorf("conversion %s is %s", id, conv.Status)
		}
		if o.Progress != nil {
			p, err := c.ConversionProgress(ctx, id)
			if err != nil {
				return conv, err
			}
			o.Progress(p)
		}
		if err := sleep(ctx, pause); err != nil {
			return conv, fmt.Errorf("conversion %s is still %s: %w", id, conv.Status, err)
		}
		if o.Every == 0 {
			pause = min(2*time.Second, pause*5/4)
		}
	}
}

func (c *Client) conversion(ctx context.Context, r request) (*Conversion, error) {
	r.query = versioned()
	var conv Conversion
	if err := c.do(ctx, r, &conv); err != nil {
		return nil, err
	}
	return &conv, nil
}

func conversionPath(id string) string { return "/conversions/" + segment(id) }

// log returns the last lines of the log at path.
func (c *Client) log(ctx context.Context, path string, lines int) (io.ReadCloser, error) {
	if lines < 1 || lines > MaxLogLines {
		lines = MaxLogLines
	}
	q := url.Values{"tail": {strconv.Itoa(lines)}}
	resp, err := c.open(ctx, request{method: http.MethodGet, path: path + "/log", query: q, repeatable: true})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
