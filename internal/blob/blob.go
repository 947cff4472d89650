// Package blob reads and writes containers of blobs for conversions: Azure Blob storage, S3, Google Cloud Storage and
// directories of this machine. It is the only importer of cloud SDKs, and belongs to the control plane: a worker moves no
// bytes of a conversion. It decides which storage a client may name, limits no amounts, and shows no secret.
//
// S3 and Google Cloud Storage go through gocloud.dev/blob. Azure does not: gocloud escapes the characters "#%?\ of keys, so
// that it cannot read blobs which other programs gave such names, and a streamed write that fails panics. Directories do not
// either: they are held by os.Root.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/gcp"

	"github.com/heliograph/heliograph/internal/arr"
)

// Opener finds the container of a URI. It is safe for concurrent use.
type Opener struct {
	c        Config
	accounts []account
	retry    policy.RetryOptions // of Azure
	guarded  *http.Client        // for hosts that clients name
	trusted  *http.Client        // for endpoints of the configuration
	identity azcore.TokenCredential
	s3       *s3.Client      // nil = no bucket is allowed
	gcs      *gcp.HTTPClient // nil = no bucket is allowed
	reserved []reservation
}

// New checks the configuration and prepares credentials; it connects to nothing.
func New(c Config) (*Opener, error) {
	o := &Opener{c: c, guarded: newClient(true), trusted: newClient(false)}
	if len(o.c.Azure.HostSuffixes) == 0 {
		o.c.Azure.HostSuffixes = DefaultAzureSuffixes()
	}
	for _, dir := range c.Local.Roots {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("storage: the local root %q is not a directory", dir)
		}
	}
	for i, a := range c.Azure.Accounts {
		parsed, err := parseAccount(a)
		if err != nil {
			return nil, fmt.Errorf("storage: azure.accounts[%d]: %w", i, err)
		}
		o.accounts = append(o.accounts, parsed)
		if a.Identity && o.identity == nil {
			if o.identity, err = azidentity.NewDefaultAzureCredential(nil); err != nil {
				return nil, fmt.Errorf("storage: the identity for Azure: %w", err)
			}
		}
	}
	var err error
	if len(c.S3.Buckets) > 0 {
		if o.s3, err = newS3(c.S3); err != nil {
			return nil, fmt.Errorf("storage: s3: %w", err)
		}
	}
	if len(c.GCS.Buckets) > 0 {
		if o.gcs, err = newGCS(c.GCS, o.trusted.Transport); err != nil {
			return nil, fmt.Errorf("storage: gcs: %w", err)
		}
	}
	for i, r := range c.Reserved {
		parsed, err := o.parseReservation(r)
		if err != nil {
			return nil, fmt.Errorf("storage: reserved[%d]: %w", i, err)
		}
		o.reserved = append(o.reserved, parsed)
	}
	return o, nil
}

// Check judges the URI of a container and its shared access signature ("" = none) for an account of the service, without
// connecting to anything. It returns an *arr.Error: arr.CodeStorageAccess where no signature is given and nothing is linked
// to the account (contract section 5), or where the configuration allows no such container; arr.CodeBadRequest for what is
// no container.
func (o *Opener) Check(account arr.AccountID, uri, sas string) error {
	_, err := o.resolve(account, uri, sas)
	return err
}

// Open makes a container ready for use. It connects to nothing: whether the container exists shows in its methods. The URI
// is one that Check accepts.
func (o *Opener) Open(ctx context.Context, account arr.AccountID, uri, sas string) (*Container, error) {
	p, err := o.resolve(account, uri, sas)
	if err != nil {
		return nil, err
	}
	var b bucket
	switch p.kind {
	case kindAzure:
		b, err = o.openAzure(p)
	case kindS3:
		b, err = o.openS3(ctx, p.container)
	case kindGCS:
		b, err = o.openGCS(ctx, p.container)
	case kindLocal:
		b, err = openLocal(p)
	}
	if err != nil {
		return nil, fmt.Errorf("storage: %w", redact(err))
	}
	return &Container{b: b, p: p}, nil
}

// bucket is one kind of storage. Its errors are what failure understands.
type bucket interface {
	list(ctx context.Context, prefix string, fn func(key string, size int64) error) error
	read(ctx context.Context, key string) (io.ReadCloser, error)
	write(ctx context.Context, key string, r io.ReadSeeker, contentType string) error
	close() error
}

// Container holds blobs under keys, whose elements are separated by "/". Its methods are safe for concurrent use, except for
// Close. Errors of the storage are *Error; errors of the caller's function, reader or writer come back as they are.
type Container struct {
	b bucket
	p place
}

// List calls fn for every blob whose key begins with prefix, in ascending order; an error of fn ends it and is returned.
// Blobs that only stand for a folder are left out.
func (c *Container) List(ctx context.Context, prefix string, fn func(key string, size int64) error) error {
	var own error
	err := c.b.list(ctx, prefix, func(key string, size int64) error {
		own = fn(key, size)
		return own
	})
	if own != nil {
		return own
	}
	return c.failure(ctx, opRead, err)
}

// Download writes the blob to w. A missing blob is arr.CodeNotFound.
func (c *Container) Download(ctx context.Context, key string, w io.Writer) error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	defer stall.Stop()
	r, err := c.b.read(within, key)
	if err != nil {
		return c.failure(ctx, opRead, cause(within, err))
	}
	defer func() { _ = r.Close() }() // it was only read
	own := &ownWriter{w: w, after: func() { stall.Reset(stallTimeout) }}
	if _, err = io.CopyBuffer(own, onlyReader{r}, make([]byte, 256<<10)); own.err != nil {
		return own.err
	}
	return c.failure(ctx, opRead, cause(within, err))
}

// stallTimeout ends a download of which nothing arrives.
const stallTimeout = 2 * time.Minute

var errStalled = errors.New("nothing arrived for too long")

// cause is why ctx ended where that made err.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Upload replaces the blob by all that r has left, whole or not at all.
func (c *Container) Upload(ctx context.Context, key string, r io.ReadSeeker, contentType string) error {
	own := &ownReader{ReadSeeker: r}
	err := c.b.write(ctx, key, own, contentType)
	if own.err != nil {
		return own.err
	}
	return c.failure(ctx, opWrite, err)
}

// Close releases what Open made.
func (c *Container) Close() error { return c.b.close() }

// ownWriter keeps the error of the caller's writer apart from those of the storage.
type ownWriter struct {
	w     io.Writer
	after func()
	err   error
}

func (o *ownWriter) Write(p []byte) (int, error) {
	o.after()
	n, err := o.w.Write(p)
	if err != nil {
		o.err = err
	}
	return n, err
}

// onlyReader hides WriterTo, which would bypass ownWriter's buffer.
type onlyReader struct{ io.Reader }

// ownReader keeps the error of the caller's reader apart from those of the storage.
type ownReader struct {
	io.ReadSeeker
	err error
}

func (o *ownReader) Read(p []byte) (int, error) {
	n, err := o.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		o.err = err
	}
	return n, err
}
