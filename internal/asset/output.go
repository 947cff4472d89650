package asset

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// output writes a file's sections one after the other.
type output struct {
	file    *os.File
	w       *bufio.Writer
	at      int64
	open    section
	done    []section
	written error
}

func newOutput(f *os.File) *output {
	return &output{file: f, w: bufio.NewWriterSize(io.NewOffsetWriter(f, headerBytes), 1<<20), at: headerBytes}
}

// begin starts a section at its alignment.
func (o *output) begin(id sectionID) {
	align := int64(dataAlign)
	if id.table() {
		align = tableAlign
	}
	if pad := (align - o.at%align) % align; pad > 0 {
		o.raw(make([]byte, pad))
	}
	o.open = section{id: id, offset: o.at}
}

// write appends to the section and returns where in it.
func (o *output) write(b []byte) (offset int64) {
	offset = o.open.length
	o.open.crc = crc32.Update(o.open.crc, crc32.MakeTable(crc32.Castagnoli), b)
	o.open.length += int64(len(b))
	o.raw(b)
	return offset
}

// end closes the section; an empty one is left out.
func (o *output) end() {
	if o.open.length > 0 {
		o.done = append(o.done, o.open)
	}
	o.open = section{}
}

// raw writes; errors are sticky and show in finish.
func (o *output) raw(b []byte) {
	if o.written != nil {
		return
	}
	_, o.written = o.w.Write(b)
	o.at += int64(len(b))
}

// finish writes the header.
func (o *output) finish(ctx context.Context, h *header) error {
	if err := o.w.Flush(); o.written == nil {
		o.written = err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.written == nil {
		_, o.written = o.file.WriteAt(h.encode(), 0)
	}
	if o.written != nil {
		return fmt.Errorf("asset: %w", o.written)
	}
	return nil
}
