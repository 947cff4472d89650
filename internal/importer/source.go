package importer

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"net/url"
	"path"
	"strings"
)

// Source is where a model comes from. Root bounds what the model may refer to: nothing outside of it is ever opened,
// and a model never makes the importer use the network. os.Root.FS() is a good Root; os.DirFS follows symbolic links out.
type Source struct {
	Root fs.FS  // nil = the model must be self-contained
	Name string // slash-separated path of the main file inside Root
	Data []byte // contents of the main file; nil = read it from Root
}

// ErrNoFile is the error of a reference to a file that does not exist.
var ErrNoFile = errors.New("there is no such file beside the model")

// Read returns the file name inside the root, no larger than limit bytes.
func (s Source) Read(name string, limit int64) ([]byte, error) {
	if s.Root == nil {
		return nil, errors.New("the model refers to another file, but was given without its folder")
	}
	info, err := fs.Stat(s.Root, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoFile
	case err != nil:
		return nil, errors.New("the file cannot be read")
	case !info.Mode().IsRegular():
		return nil, errors.New("the file is not a regular one")
	case info.Size() > limit:
		return nil, OverBudget(info.Size())
	}
	b, err := fs.ReadFile(s.Root, name)
	if err != nil {
		return nil, errors.New("the file cannot be read")
	}
	return b, nil
}

// Resolve returns what a reference of the model names: inline data of a data URI, or a file at or below the root, relative
// to the main file. Percent signs and backslashes are understood as what exporters mean by them.
func (s Source) Resolve(uri string, limit int64) ([]byte, error) {
	if strings.HasPrefix(uri, "data:") {
		return dataURI(uri)
	}
	if u, err := url.Parse(uri); err == nil && (u.Scheme != "" || u.Host != "") {
		return nil, errors.New("a model may refer to files beside it only, not to a URL")
	}
	names := []string{uri}
	if plain, err := url.PathUnescape(uri); err == nil && plain != uri {
		names = []string{plain, uri} // some exporters forget to escape
	}
	for _, n := range names {
		n = strings.ReplaceAll(n, `\`, "/")
		if path.IsAbs(n) {
			return nil, errors.New("a model may refer to files by relative path only")
		}
		full := path.Join(path.Dir(s.Name), n)
		if !fs.ValidPath(full) || full == "." {
			return nil, errors.New("the path leads out of the model's folder")
		}
		b, err := s.Read(full, limit)
		if !errors.Is(err, ErrNoFile) {
			return b, err
		}
	}
	return nil, ErrNoFile
}

// dataURI decodes a base64 data URI (RFC 2397).
func dataURI(uri string) ([]byte, error) {
	head, body, ok := strings.Cut(uri, ",")
	if !ok || !strings.HasSuffix(head, ";base64") {
		return nil, errors.New("the data URI is not base64")
	}
	if strings.Contains(body, "%") {
		if plain, err := url.PathUnescape(body); err == nil {
			body = plain
		}
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(body, "="))
	if err != nil {
		return nil, errors.New("the data URI is not valid base64")
	}
	return b, nil
}
