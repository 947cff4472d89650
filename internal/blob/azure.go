package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"golang.org/x/sync/errgroup"
)

// azureBucket is a container of Azure Blob storage.
type azureBucket struct{ c *container.Client }

func (o *Opener) openAzure(p place) (bucket, error) {
	client := o.guarded
	if p.account != nil {
		client = o.trusted
	}
	opts := &container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: client, Retry: o.retry}}
	at := p.endpoint + "/" + p.container
	var c *container.Client
	var err error
	switch {
	case p.sas != "":
		c, err = container.NewClientWithNoCredential(at+"?"+p.sas, opts)
	case p.account.Identity:
		c, err = container.NewClient(at, o.identity, opts)
	default:
		var cred *container.SharedKeyCredential
		cred, err = container.NewSharedKeyCredential(p.account.Name, p.account.Key.Reveal())
		if err == nil {
			c, err = container.NewClientWithSharedKeyCredential(at, cred, opts)
		}
	}
	if err != nil {
		return nil, err
	}
	return azureBucket{c}, nil
}

func (b azureBucket) list(ctx context.Context, prefix string, fn func(key string, size int64) error) error {
	pager := b.c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return err
		}
		if page.Segment == nil {
			continue
		}
		for _, item := range page.Segment.BlobItems {
			if item.Name == nil || item.Properties == nil || strings.HasSuffix(*item.Name, "/") ||
				item.Properties.ResourceType != nil && *item.Properties.ResourceType == "directory" {
				continue
			}
			var size int64
			if item.Properties.ContentLength != nil {
				size = *item.Properties.ContentLength
			}
			if err := fn(*item.Name, size); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b azureBucket) read(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.c.NewBlobClient(key).DownloadStream(ctx, nil)
	if err != nil {
		return nil, err
	}
	return r.NewRetryReader(ctx, nil), nil // goes on where a connection broke
}

// Uploads of more than one part are in blocks of this size; Azure allows 50,000 of them.
const partSize, partsAtOnce = 8 << 20, 4

// write does what UploadStream of the SDK (azblob v1.8.3) is for. That one unmaps the memory of a block as soon as its
// request is answered, although net/http may go on reading it where the answer came early, as refusals do: a fault that
// ends the process. Here, blocks are the garbage collector's.
func (b azureBucket) write(ctx context.Context, key string, r io.ReadSeeker, contentType string) error {
	c := b.c.NewBlockBlobClient(key)
	headers := &blob.HTTPHeaders{BlobContentType: &contentType}
	part, last, err := readPart(r)
	if err != nil {
		return err
	}
	if last {
		_, err := c.Upload(ctx, body(part), &blockblob.UploadOptions{HTTPHeaders: headers})
		return err
	}
	var ids []string
	name := rand.Text() // keeps the blocks of two uploads of one key apart
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for {
		id, staged := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s%05d", name, len(ids))), part
		ids = append(ids, id)
		group.Go(func() error {
			_, err := c.StageBlock(within, id, body(staged), nil)
			return err
		})
		if last || within.Err() != nil {
			break
		}
		if part, last, err = readPart(r); err != nil || len(part) == 0 {
			break
		}
	}
	if failed := group.Wait(); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	_, err = c.CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{HTTPHeaders: headers})
	return err
}

// readPart returns the next part of r, and whether it is known to be the last.
func readPart(r io.Reader) (part []byte, last bool, err error) {
	part = make([]byte, partSize)
	n, err := io.ReadFull(r, part)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return part[:n], true, nil
	}
	return part[:n], false, err
}

func body(b []byte) io.ReadSeekCloser { return streaming.NopCloser(bytes.NewReader(b)) }

func (azureBucket) close() error { return nil }
