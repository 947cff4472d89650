package cpu

// NewPerLevel makes an engine a kernel set: the scalar twin first, then each SIMD level this CPU has.
func NewPerLevel(threads int) []*Engine {
	scalar, err := New(Config{Threads: threads, ForceScalar: true})
	if err != nil {
		panic(err)
	}
	out := []*Engine{scalar}
	for _, l := range simdLevels() {
		e, err := New(Config{Threads: threads})
		if err != nil {
			panic(err)
		}
		e.simd, e.bind = l.name, l.bind
		out = append(out, e)
	}
	return out
}

// UseUniformSky lights everything evenly with radiance 1: a white furnace.
func (e *Engine) UseUniformSky() {
	uniform := newSky(func([3]float64) [3]float64 { return [3]float64{1, 1, 1} })
	e.sky = func() *sky { return uniform }
}

// Cached counts what Prepare has built and Forget has not dropped.
func (e *Engine) Cached() (meshes, textures int) { return len(e.meshes), len(e.textures) }

// PageBytes is how much memory pages of geometry take.
func (e *Engine) PageBytes() int64 {
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	return e.pool.used
}
