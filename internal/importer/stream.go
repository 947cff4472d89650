package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// maxLine is the longest line of a text format: a polygon of a few million corners.
const maxLine = 64 << 20

// Stream reads the main file of a model from its start to its end. It reports progress, and fails once its context has
// ended.
type Stream struct {
	*bufio.Reader
	Size int64 // of the file
	Line int   // number of the line that NextLine returned last

	ctx      context.Context //nolint:containedctx // io.Reader knows no context, and this value lives for one import only
	src      io.ReadCloser
	read     int64
	progress func(stage string, done float64)
	reported int64
	long     []byte // a line that is longer than the buffer
}

// Open opens the main file.
func Open(ctx context.Context, src Source, opts Options) (*Stream, error) {
	s := &Stream{ctx: ctx, progress: opts.Progress}
	if src.Data != nil {
		s.src, s.Size = io.NopCloser(bytes.NewReader(src.Data)), int64(len(src.Data))
	} else {
		if src.Root == nil {
			return nil, ErrNoFile
		}
		f, err := src.Root.Open(src.Name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, ErrNoFile
		case err != nil:
			return nil, errors.New("the file cannot be read")
		}
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			_ = f.Close()
			return nil, errors.New("the file is not a regular one")
		}
		s.src, s.Size = f, info.Size()
	}
	if limit := opts.Memory(); s.Size > limit {
		s.Close()
		return nil, OverBudget(s.Size - limit)
	}
	s.Reader = bufio.NewReaderSize((*counted)(s), 256<<10)
	s.report(0)
	return s, nil
}

// Close closes the file.
func (s *Stream) Close() { _ = s.src.Close() } // nothing was written

// Offset is the number of bytes that were taken out of the stream.
func (s *Stream) Offset() int64 { return s.read - int64(s.Buffered()) }

// counted is what the buffer of a Stream reads from.
type counted Stream

func (c *counted) Read(b []byte) (int, error) {
	s := (*Stream)(c)
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.src.Read(b)
	s.read += int64(n)
	s.report(s.read)
	return n, err
}

func (s *Stream) report(read int64) {
	if s.progress == nil || read != 0 && read != s.Size && read-s.reported < s.Size/200 {
		return
	}
	s.reported = read
	s.progress("decode", min(1, float64(read)/float64(max(1, s.Size))))
}

// NextLine returns the next line without its end; it is valid until the next call. The error is io.EOF after the last.
func (s *Stream) NextLine() ([]byte, error) {
	line, err := s.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		s.long = s.long[:0]
		for errors.Is(err, bufio.ErrBufferFull) {
			s.long = append(s.long, line...)
			if len(s.long) > maxLine {
				return nil, fmt.Errorf("line %d is longer than %d bytes", s.Line+1, maxLine)
			}
			line, err = s.ReadSlice('\n')
		}
		s.long = append(s.long, line...)
		line = s.long
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	s.Line++
	return bytes.TrimRight(line, "\r\n"), nil
}

// Field cuts the first of the fields of a line, which blanks and tabs separate; it is empty after the last.
func Field(line []byte) (field, rest []byte) {
	i := 0
	for i < len(line) && blank(line[i]) {
		i++
	}
	j := i
	for j < len(line) && !blank(line[j]) {
		j++
	}
	return line[i:j], line[j:]
}

func blank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
