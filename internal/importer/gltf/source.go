package gltf

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

var errNoFile = errors.New("there is no such file beside the model")

// read returns the file name inside the root, no larger than limit bytes.
func (s Source) read(name string, limit int64) ([]byte, error) {
	if s.Root == nil {
		return nil, errors.New("the model refers to another file, but was given without its folder")
	}
	info, err := fs.Stat(s.Root, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoFile
	case err != nil:
		return nil, errors.New("the file cannot be read")
	case !info.Mode().IsRegular():
		return nil, errors.New("the file is not a regular one")
	case info.Size() > limit:
		return nil, errBudget(info.Size())
	}
	b, err := fs.ReadFile(s.Root, name)
	if err != nil {
		return nil, errors.New("the file cannot be read")
	}
	return b, nil
}

// resolve returns what a URI of the model refers to: inline data, or a file at or below the root (glTF 2.0 section 2.9).
func (s Source) resolve(uri string, limit int64) ([]byte, error) {
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
		b, err := s.read(full, limit)
		if !errors.Is(err, errNoFile) {
			return b, err
		}
	}
	return nil, errNoFile
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
