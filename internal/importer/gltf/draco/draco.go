// Package draco decodes the meshes of KHR_draco_mesh_compression with the Draco project's own decoder, compiled to
// WebAssembly. The decoder runs in a sandbox of limited memory; this package trusts none of its answers, and does no I/O.
package draco

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// binary code of npm draco3dgltf 1.5.7; see README.md.
//
//go:embed draco_decoder_gltf.wasm
var module []byte

// Names that the build of the module gave to what it exports; its JavaScript companion maps them.
const (
	fnInit                  = "f"
	fnMalloc                = "Qb"
	fnFree                  = "Rb"
	fnNewBuffer             = "i"
	fnInitBuffer            = "j" // (buffer, data, length)
	fnDeleteBuffer          = "k"
	fnNewDecoder            = "Ja"
	fnDecodeMesh            = "ib" // (decoder, buffer, mesh) status
	fnDeleteDecoder         = "jb"
	fnNewMesh               = "P"
	fnNumFaces              = "Q"
	fnNumPoints             = "S"
	fnDeleteMesh            = "T"
	fnStatusOK              = "X"
	fnStatusMessage         = "Y"
	fnTriangles             = "Wa" // (decoder, mesh, bytes, to) ok
	fnAttributeByID         = "Qa" // (decoder, mesh, id) attribute or 0
	fnAttributeData         = "eb" // (decoder, mesh, attribute, type, bytes, to) ok
	fnNumComponents         = "v"
	exportedMemory          = "e"
	importedModule          = "a"
	importUnreachable       = "a"
	importThrow             = "b"
	importGrow              = "c"
	importCopy              = "d"
	pageBytes               = 1 << 16
	maxPages                = 1 << 15 // what the module declares: 2 GiB
	maxMessage              = 200
	bytesPerIndex     int64 = 4
)

// MinMemory is the least memory of an instance: what the module begins with.
const MinMemory = 16 << 20

// Type is the type of an attribute's components.
type Type uint32

// The types that glTF has, by Draco's numbers.
const (
	Int8    Type = 1
	Uint8   Type = 2
	Int16   Type = 3
	Uint16  Type = 4
	Uint32  Type = 6
	Float32 Type = 9
)

var typeBytes = map[Type]int64{Int8: 1, Uint8: 1, Int16: 2, Uint16: 2, Uint32: 4, Float32: 4}

// Attribute is one to read out of a mesh.
type Attribute struct {
	ID         uint32 // its unique id
	Type       Type   // what to convert its components to
	Components int64
}

// Mesh is a decoded mesh.
type Mesh struct {
	Vertices   int64
	Indices    []byte   // triangles, of little-endian 32 bits each; all below Vertices
	Attributes [][]byte // in the order they were asked for: little-endian, tightly packed
}

// Decoder decodes meshes, at most a given number at the same time. Close it after use.
type Decoder struct {
	runtime wazero.Runtime
	code    wazero.CompiledModule
	idle    chan *instance // nil = may be made
}

// New prepares a decoder whose instances, at most so many, may use so many bytes of memory each.
func New(ctx context.Context, instances int, memory int64) (*Decoder, error) {
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(uint32(min(memory/pageBytes, maxPages))).WithCloseOnContextDone(true)
	d := &Decoder{runtime: wazero.NewRuntimeWithConfig(ctx, config), idle: make(chan *instance, instances)}
	for range instances {
		d.idle <- nil
	}
	err := d.prepare(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("draco: %w", err), d.Close(ctx))
	}
	return d, nil
}

func (d *Decoder) prepare(ctx context.Context) (err error) {
	i32 := api.ValueTypeI32
	host := d.runtime.NewHostModuleBuilder(importedModule)
	for name, f := range map[string]struct {
		run     api.GoModuleFunc
		params  []api.ValueType
		results []api.ValueType
	}{
		importUnreachable: {giveUp, nil, nil},
		importThrow:       {giveUp, []api.ValueType{i32, i32, i32}, nil},
		importGrow:        {grow, []api.ValueType{i32}, []api.ValueType{i32}},
		importCopy:        {copyMemory, []api.ValueType{i32, i32, i32}, nil},
	} {
		host.NewFunctionBuilder().WithGoModuleFunction(f.run, f.params, f.results).Export(name)
	}
	if _, err = host.Instantiate(ctx); err != nil {
		return err
	}
	d.code, err = d.runtime.CompileModule(ctx, module)
	return err
}

// Close frees all memory.
func (d *Decoder) Close(ctx context.Context) error { return d.runtime.Close(ctx) }

var errGaveUp = errors.New("the decoder gave up: the data is damaged, or needs more memory than it may use")

// giveUp stands for C++ exceptions, which the module is built without. The runtime turns the panic into the error of Call.
func giveUp(context.Context, api.Module, []uint64) { panic(errGaveUp) }

// grow enlarges the memory to so many bytes, and answers whether it could.
func grow(_ context.Context, m api.Module, stack []uint64) {
	want, have := uint64(uint32(stack[0])), uint64(m.Memory().Size())
	stack[0] = 1
	if want > have {
		if _, ok := m.Memory().Grow(uint32((want - have + pageBytes - 1) / pageBytes)); !ok {
			stack[0] = 0
		}
	}
}

// copyMemory is memmove(to, from, length).
func copyMemory(_ context.Context, m api.Module, stack []uint64) {
	from, ok := m.Memory().Read(uint32(stack[1]), uint32(stack[2]))
	if !ok || !m.Memory().Write(uint32(stack[0]), from) {
		panic(errGaveUp)
	}
}

// Decode decodes one mesh. Before it allocates the result, it calls take with the size, and returns its error, if any.
func (d *Decoder) Decode(ctx context.Context, data []byte, want []Attribute, take func(bytes int64) error) (*Mesh, error) {
	var in *instance
	select {
	case in = <-d.idle:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m, err := d.decode(ctx, &in, data, want, take)
	if err != nil && in != nil { // do not trust its memory any more
		err = errors.Join(err, in.module.Close(ctx))
		in = nil
	}
	d.idle <- in
	return m, err
}

func (d *Decoder) decode(ctx context.Context, in **instance, data []byte, want []Attribute, take func(int64) error) (*Mesh, error) {
	if *in == nil {
		m, err := d.runtime.InstantiateModule(ctx, d.code, wazero.NewModuleConfig().WithName("").WithStartFunctions(fnInit))
		if err != nil {
			return nil, fmt.Errorf("draco: %w", err)
		}
		*in = &instance{module: m}
	}
	return (*in).decode(ctx, data, want, take)
}

// instance is a running module: it decodes one mesh at a time.
type instance struct {
	module api.Module
	err    error // the first that a call ended with
}

// call calls a function of the module; after an error it does nothing.
func (in *instance) call(ctx context.Context, name string, args ...uint64) uint32 {
	if in.err != nil {
		return 0
	}
	results, err := in.module.ExportedFunction(name).Call(ctx, args...)
	if err != nil {
		in.err = errGaveUp
		if ctx.Err() != nil {
			in.err = ctx.Err()
		}
		return 0
	}
	if len(results) == 0 {
		return 0
	}
	return uint32(results[0])
}

// alloc returns the address of so many bytes.
func (in *instance) alloc(ctx context.Context, bytes int64) uint64 {
	if bytes >= maxPages*pageBytes {
		in.err = errors.Join(in.err, errGaveUp)
		return 0
	}
	p := in.call(ctx, fnMalloc, uint64(bytes))
	if p == 0 && in.err == nil {
		in.err = errGaveUp
	}
	return uint64(p)
}

func (in *instance) decode(ctx context.Context, data []byte, want []Attribute, take func(int64) error) (*Mesh, error) {
	input := in.alloc(ctx, int64(len(data)))
	if in.err != nil || !in.module.Memory().Write(uint32(input), data) {
		return nil, errGaveUp
	}
	buffer := uint64(in.call(ctx, fnNewBuffer))
	in.call(ctx, fnInitBuffer, buffer, input, uint64(len(data)))
	decoder := uint64(in.call(ctx, fnNewDecoder))
	mesh := uint64(in.call(ctx, fnNewMesh))
	status := uint64(in.call(ctx, fnDecodeMesh, decoder, buffer, mesh))
	if in.call(ctx, fnStatusOK, status) == 0 && in.err == nil {
		return nil, fmt.Errorf("the Draco data cannot be decoded: %s", in.text(in.call(ctx, fnStatusMessage, status)))
	}
	in.call(ctx, fnDeleteBuffer, buffer)
	in.call(ctx, fnFree, input)
	out, err := in.read(ctx, decoder, mesh, want, take)
	if err != nil {
		return nil, err
	}
	in.call(ctx, fnDeleteMesh, mesh)
	in.call(ctx, fnDeleteDecoder, decoder)
	return out, in.err
}

// read copies a mesh out of the module.
func (in *instance) read(ctx context.Context, decoder, mesh uint64, want []Attribute, take func(int64) error) (*Mesh, error) {
	out := &Mesh{Vertices: int64(in.call(ctx, fnNumPoints, mesh))}
	indices := 3 * bytesPerIndex * int64(in.call(ctx, fnNumFaces, mesh))
	if in.err != nil {
		return nil, in.err
	}
	if out.Vertices == 0 || indices == 0 {
		return nil, errors.New("the Draco data holds no triangles")
	}
	total := indices
	for _, a := range want {
		total += a.bytes() * out.Vertices
	}
	if err := take(total); err != nil {
		return nil, err
	}
	var err error
	out.Indices, err = in.copyOut(ctx, indices, func(to uint64) uint32 {
		return in.call(ctx, fnTriangles, decoder, mesh, uint64(indices), to)
	})
	if err != nil {
		return nil, err
	}
	for i := int64(0); i < indices; i += bytesPerIndex {
		if v := binary.LittleEndian.Uint32(out.Indices[i:]); int64(v) >= out.Vertices {
			return nil, fmt.Errorf("the Draco data has an index %d of %d vertices", v, out.Vertices)
		}
	}
	for _, a := range want {
		attribute := uint64(in.call(ctx, fnAttributeByID, decoder, mesh, uint64(a.ID)))
		if attribute == 0 && in.err == nil {
			return nil, fmt.Errorf("the Draco data has no attribute %d", a.ID)
		}
		if n := int64(in.call(ctx, fnNumComponents, attribute)); n != a.Components && in.err == nil {
			return nil, fmt.Errorf("attribute %d of the Draco data has %d components, not %d", a.ID, n, a.Components)
		}
		size := a.bytes() * out.Vertices
		values, err := in.copyOut(ctx, size, func(to uint64) uint32 {
			return in.call(ctx, fnAttributeData, decoder, mesh, attribute, uint64(a.Type), uint64(size), to)
		})
		if err != nil {
			return nil, err
		}
		out.Attributes = append(out.Attributes, values)
	}
	return out, nil
}

func (a Attribute) bytes() int64 { return typeBytes[a.Type] * a.Components }

// copyOut returns so many bytes that fill writes.
func (in *instance) copyOut(ctx context.Context, bytes int64, fill func(to uint64) uint32) ([]byte, error) {
	at := in.alloc(ctx, bytes)
	ok := fill(at) != 0
	if in.err != nil {
		return nil, in.err
	}
	b, inside := in.module.Memory().Read(uint32(at), uint32(bytes))
	if !ok || !inside {
		return nil, errors.New("the Draco data cannot be converted to the type of its accessor")
	}
	b = append([]byte(nil), b...)
	in.call(ctx, fnFree, at)
	return b, in.err
}

// text returns a string of the module.
func (in *instance) text(at uint32) string {
	var s []byte
	for len(s) < maxMessage {
		c, ok := in.module.Memory().ReadByte(at + uint32(len(s)))
		if !ok || c == 0 {
			break
		}
		s = append(s, c)
	}
	return string(s)
}
