package blob

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"cloud.google.com/go/storage"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcp"
	"google.golang.org/api/option"
)

// cloudBucket is a bucket of S3 or Google Cloud Storage.
type cloudBucket struct{ b *blob.Bucket }

func newS3(c S3) (*s3.Client, error) {
	var loads []func(*config.LoadOptions) error
	if c.Region != "" {
		loads = append(loads, config.WithRegion(c.Region))
	}
	if c.AccessKeyID != "" {
		p := credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal())
		loads = append(loads, config.WithCredentialsProvider(p))
	}
	loaded, err := config.LoadDefaultConfig(context.Background(), loads...) // reads files and the environment
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(loaded, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if c.Endpoint == "" {
			return
		}
		o.BaseEndpoint = &c.Endpoint
		// Checksums that S3 made the default in 2025, and that not every other server knows.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		if o.Region == "" {
			o.Region = "us-east-1"
		}
	}), nil
}

func (o *Opener) openS3(ctx context.Context, name string) (bucket, error) {
	opts := &s3blob.Options{}
	if o.c.S3.Endpoint != "" {
		opts.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	}
	b, err := s3blob.OpenBucket(ctx, o.s3, name, opts)
	if err != nil {
		return nil, err
	}
	return cloudBucket{b}, nil
}

func newGCS(c GCS, transport http.RoundTripper) (*gcp.HTTPClient, error) {
	if c.Anonymous {
		return gcp.NewAnonymousHTTPClient(transport), nil
	}
	creds, err := gcp.DefaultCredentials(context.Background()) // reads files and the environment
	if err != nil {
		return nil, errors.New("there are no application default credentials")
	}
	return gcp.NewHTTPClient(transport, creds.TokenSource)
}

func (o *Opener) openGCS(ctx context.Context, name string) (bucket, error) {
	opts := &gcsblob.Options{}
	if o.c.GCS.Endpoint != "" {
		opts.ClientOptions = append(opts.ClientOptions, option.WithEndpoint(strings.TrimRight(o.c.GCS.Endpoint, "/")+"/storage/v1/"),
			storage.WithJSONReads()) // the other way to read has a host of its own
	}
	b, err := gcsblob.OpenBucket(ctx, o.gcs, name, opts)
	if err != nil {
		return nil, err
	}
	return cloudBucket{b}, nil
}

func (b cloudBucket) list(ctx context.Context, prefix string, fn func(key string, size int64) error) error {
	for it := b.b.List(&blob.ListOptions{Prefix: prefix}); ; {
		item, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if item.IsDir || strings.HasSuffix(item.Key, "/") {
			continue
		}
		if err := fn(item.Key, item.Size); err != nil {
			return err
		}
	}
}

func (b cloudBucket) read(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.b.NewReader(ctx, key, nil)
}

// write ends its context when r fails: else the writer of Google Cloud Storage would store what it has got so far.
func (b cloudBucket) write(ctx context.Context, key string, r io.ReadSeeker, contentType string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return b.b.Upload(ctx, key, abortingReader{r, cancel}, &blob.WriterOptions{
		ContentType: contentType, BufferSize: partSize, MaxConcurrency: partsAtOnce,
	})
}

type abortingReader struct {
	io.ReadSeeker
	abort func()
}

func (a abortingReader) Read(p []byte) (int, error) {
	n, err := a.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		a.abort()
	}
	return n, err
}

func (b cloudBucket) close() error { return b.b.Close() }
