package loader

import (
	"context"
	"errors"
	"net/url"
	"os"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/mesh"
)

// Of the fetch stage of an asset, opening its tables counts as tablesShare, reading its textures as the rest.
const tablesShare = 0.3

// remoteReadAhead is how much of what the first picture needs is fetched together with the tables.
const remoteReadAhead = 1 << 20

// openAssetFile opens an asset in a file, which it closes in the end, also if that fails.
func openAssetFile(ctx context.Context, file *os.File, p Progress) (*Loaded, error) {
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return openAsset(ctx, fileSource{file, info.Size()}, asset.OpenOptions{}, func() { _ = file.Close() }, p)
}

// fileSource is a file as asset.Source.
type fileSource struct {
	*os.File
	size int64
}

func (s fileSource) Size() int64 { return s.size }

// openAsset opens an asset; done ends its source, also if opening fails.
func openAsset(ctx context.Context, src asset.Source, o asset.OpenOptions, done func(), p Progress) (*Loaded, error) {
	f, err := asset.Open(ctx, src, o)
	if err != nil {
		done()
		return nil, assetError(err)
	}
	l := &Loaded{close: func() {
		_ = f.Close()
		done()
	}}
	p(StageFetch, tablesShare)
	err = f.LoadTextures(ctx, func(done float64) { p(StageFetch, tablesShare+(1-tablesShare)*done) })
	if err != nil {
		l.Close()
		return nil, assetError(err)
	}
	l.Model = f.Model()
	if l.Model.Proxies, err = mesh.Proxies(ctx, l.Model); err != nil {
		l.Close()
		return nil, assetError(err)
	}
	p(StageFetch, 1)
	return l, nil
}

// assetError makes an error of reading an asset one to show.
func assetError(err error) error {
	if e := (*arr.Error)(nil); errors.As(err, &e) || errors.Is(err, context.Canceled) {
		return err
	}
	return arr.Errorf(arr.CodeUnprocessableEntity, "The asset cannot be read: %v.", err)
}

// loadAssetURL opens an asset by parts: what is not wanted is not fetched.
func (l *Loader) loadAssetURL(ctx context.Context, u *url.URL, p Progress) (*Loaded, error) {
	r, err := l.openRemote(ctx, u)
	if err != nil {
		return nil, err
	}
	return openAsset(ctx, r, asset.OpenOptions{ReadAhead: remoteReadAhead}, r.close, p)
}
