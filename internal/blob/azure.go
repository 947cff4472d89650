package blob

import (
	"context"
	"io"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
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

func (b azureBucket) write(ctx context.Context, key string, r io.ReadSeeker, contentType string) error {
	_, err := b.c.NewBlockBlobClient(key).UploadStream(ctx, r, &blockblob.UploadStreamOptions{
		BlockSize: partSize, Concurrency: partsAtOnce, HTTPHeaders: &blob.HTTPHeaders{BlobContentType: &contentType},
	})
	return err
}

func (azureBucket) close() error { return nil }
