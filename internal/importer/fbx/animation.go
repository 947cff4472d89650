package fbx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/heliograph/heliograph/internal/scene"
)

const (
	maxSamples    = 1 << 12 // of one channel between its keys; longer ones get fewer a second
	maxAllSamples = 4 << 20 // of a model
)

const tooLong = "Animations are too long to be kept in full."

// frameRate is how often a second curves are sampled where they are no straight lines: at the frames of the file, as far as
// its TimeMode (FbxTime::EMode) is a usual one.
func (l *loader) frameRate() float64 {
	rates := []float64{3: 60, 4: 50, 5: 48, 6: 30, 7: 30, 8: 30 / 1.001, 9: 30 / 1.001, 10: 25, 11: 24, 13: 24 / 1.001}
	if mode := l.settings.int("TimeMode", 0); mode >= 0 && mode < len(rates) && rates[mode] > 0 {
		return rates[mode]
	}
	return 30
}

// take is one animation of a file: what its layers do to models and morph targets.
type take struct {
	name        string
	start, stop int64
	moves       map[*object]*motion
	morphs      map[*object]*curve // by the channel that DeformPercent is of
	named       map[*object]map[string]*curve
}

// motion is how the pose of one model moves: layers of curves, the lowest first.
type motion struct{ translation, rotation, scaling []layered }

// layered is what one layer does to a vector.
type layered struct {
	curves   [3]*curve
	rest     vec3 // of the axes without a curve
	weight   float64
	additive bool
	multiply bool // an additive layer multiplies scales
}

// animations makes the animations of the model.
func (l *loader) animations(takes []*take) error {
	for _, t := range takes {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		a := scene.Animation{Name: t.name}
		t.span()
		for i := range l.placed {
			if err := l.animate(&a, t, i); err != nil {
				return err
			}
		}
		if len(a.Channels) > 0 {
			l.model.Animations = append(l.model.Animations, a)
		}
	}
	return nil
}

func (l *loader) takesOf() ([]*take, error) {
	if l.version >= ids {
		return l.stacks()
	}
	return l.oldTakes()
}

// stacks reads the animations of version 7: stacks of layers of curve nodes.
func (l *loader) stacks() ([]*take, error) {
	var takes []*take
	for _, o := range l.objects {
		if o.class != "AnimationStack" {
			continue
		}
		p := l.properties(o)
		t := &take{name: o.name, start: int64(p.number("LocalStart", 0)), stop: int64(p.number("LocalStop", 0)),
			moves: map[*object]*motion{}, morphs: map[*object]*curve{}}
		for layer := range o.children("AnimationLayer") {
			if err := l.readLayer(t, layer); err != nil {
				return nil, fmt.Errorf("animation %.100q: %w", o.name, err)
			}
		}
		takes = append(takes, t)
	}
	return takes, nil
}

func (l *loader) readLayer(t *take, layer *object) error {
	p := l.properties(layer)
	if p.bool("Mute", false) {
		return nil
	}
	for n := range layer.children("AnimationCurveNode") {
		of := layered{
			weight: p.number("Weight", 100) / 100, additive: p.int("BlendMode", 0) == 0, multiply: p.int("ScaleAccumulationMode", 0) == 0,
		}
		values, any := l.properties(n), false
		for axis, name := range []string{"d|X", "d|Y", "d|Z"} {
			of.rest[axis] = values.number(name, 0)
		}
		for _, d := range n.down {
			if d.to.class != "AnimationCurve" {
				continue
			}
			c, err := l.readCurve(d.to.node)
			if err != nil {
				return err
			}
			if len(c.keys) == 0 {
				continue
			}
			any = true
			if axis := axisOf(d.property); axis >= 0 {
				of.curves[axis] = c
			} else if d.property == "d|DeformPercent" {
				of.curves[0] = c
			}
		}
		if any {
			t.put(n, of)
		}
	}
	return nil
}

// put adds a layer to all properties that a curve node drives.
func (t *take) put(n *object, of layered) {
	for _, u := range n.up {
		if u.property == "DeformPercent" && of.curves[0] != nil {
			t.morphs[u.to] = of.curves[0]
			continue
		}
		if u.to.class != "Model" {
			continue
		}
		m := t.moves[u.to]
		if m == nil {
			m = &motion{}
			t.moves[u.to] = m
		}
		switch u.property {
		case "Lcl Translation":
			m.translation = append(m.translation, of)
		case "Lcl Rotation":
			m.rotation = append(m.rotation, of)
		case "Lcl Scaling":
			m.scaling = append(m.scaling, of)
		}
	}
}

// oldTakes reads the animations before version 7: takes of channels of models.
func (l *loader) oldTakes() ([]*take, error) {
	if l.takes == nil {
		return nil, nil
	}
	models := map[string]*object{}
	for i := range l.placed {
		o := l.placed[i].object
		if name := canonicalName(o.node.text(0)); models[name] == nil {
			models[name] = o
		}
	}
	var takes []*take
	for i := range l.takes.nodes {
		n := &l.takes.nodes[i]
		if n.name != "Take" {
			continue
		}
		local := n.child("LocalTime")
		t := &take{name: n.text(0), start: local.int(0), stop: local.int(1), moves: map[*object]*motion{}, named: map[*object]map[string]*curve{}}
		for k := range n.nodes {
			o := models[canonicalName(n.nodes[k].text(0))]
			if n.nodes[k].name != "Model" || o == nil {
				continue
			}
			if err := l.oldMotion(t, o, &n.nodes[k]); err != nil {
				return nil, fmt.Errorf("take %.100q: %w", t.name, err)
			}
		}
		takes = append(takes, t)
	}
	return takes, nil
}

func (l *loader) oldMotion(t *take, o *object, n *node) error {
	transform, m := channel(n, "Transform"), &motion{}
	for _, of := range []struct {
		name string
		to   *[]layered
	}{{"T", &m.translation}, {"R", &m.rotation}, {"S", &m.scaling}} {
		c := channel(transform, of.name)
		if c == nil {
			continue
		}
		y, any := layered{weight: 1}, false
		for axis, name := range []string{"X", "Y", "Z"} {
			in := channel(c, name)
			y.rest[axis] = in.child("Default").number(0)
			k, err := l.readKeys(in)
			if err != nil {
				return err
			}
			if k != nil && len(k.keys) > 0 {
				y.curves[axis], any = k, true
			}
		}
		if any {
			*of.to = append(*of.to, y)
			t.moves[o] = m
		}
	}
	for i := range n.nodes {
		c := &n.nodes[i]
		if c.name != "Channel" || c.text(0) == "Transform" || c.text(0) == "Visibility" {
			continue
		}
		k, err := l.readKeys(c)
		if err != nil {
			return err
		}
		if k != nil && len(k.keys) > 0 {
			if t.named[o] == nil {
				t.named[o] = map[string]*curve{}
			}
			t.named[o][strings.TrimSuffix(c.text(0), " (Shape)")] = k
		}
	}
	return nil
}

// span makes the time span of a take that of its keys where the file does not have one.
func (t *take) span() {
	if t.stop > t.start {
		return
	}
	t.start, t.stop = math.MaxInt64, math.MinInt64
	extend := func(c *curve) {
		t.start, t.stop = min(t.start, c.keys[0].time), max(t.stop, c.keys[len(c.keys)-1].time)
	}
	for _, m := range t.moves {
		for c := range m.curves() {
			extend(c)
		}
	}
	for _, c := range t.morphs {
		extend(c)
	}
	for _, curves := range t.named {
		for _, c := range curves {
			extend(c)
		}
	}
}

func (m *motion) curves() func(yield func(*curve) bool) {
	return func(yield func(*curve) bool) {
		for _, list := range [][]layered{m.translation, m.rotation, m.scaling} {
			for i := range list {
				for _, c := range list[i].curves {
					if c != nil && !yield(c) {
						return
					}
				}
			}
		}
	}
}

// vector is what layers make of a vector at a time.
func vector(layers []layered, otherwise vec3, time int64) vec3 {
	v := otherwise
	for i := range layers {
		y := &layers[i]
		x := y.rest
		for axis, c := range y.curves {
			if c != nil {
				x[axis] = c.at(time)
			}
		}
		switch {
		case i == 0:
			v = x
		case y.additive && y.multiply:
			for k := range v {
				v[k] *= 1 + (x[k]-1)*y.weight
			}
		case y.additive:
			v = v.add(x.times(y.weight))
		default:
			v = v.add(x.sub(v).times(y.weight))
		}
	}
	return v
}

// poseAt is the pose of a model at a time.
func (l *loader) poseAt(t *take, m *placed, time int64) pose {
	p, move := m.pose, t.moves[m.object]
	if move == nil {
		return p
	}
	if len(move.translation) > 0 {
		p.translation = vector(move.translation, p.translation.times(1/l.unit), time).times(l.unit)
	}
	if len(move.rotation) > 0 {
		p.rotation = euler(vector(move.rotation, m.angles, time), m.order)
	}
	if len(move.scaling) > 0 {
		p.scaling = vector(move.scaling, p.scaling, time)
	}
	return p
}

// worldAt places a model at a time.
func (l *loader) worldAt(t *take, i, steps int, time int64) affine {
	m := &l.placed[i]
	p := l.poseAt(t, m, time)
	if m.parent < 0 || steps == 0 {
		return m.transform.world(p, identity, vec3{1, 1, 1})
	}
	above := l.worldAt(t, m.parent, steps-1, time)
	return m.transform.world(p, above, l.poseAt(t, &l.placed[m.parent], time).scaling)
}

// deepest is how far up a chain of models is followed for the few that do not inherit scale as matrices do.
const deepest = 256

// localAt is the transform of a model relative to its parent at a time.
func (l *loader) localAt(t *take, i int, time int64) affine {
	m := &l.placed[i]
	p := l.poseAt(t, m, time)
	if m.inherit == inheritRSrs || m.parent < 0 {
		return m.local(p)
	}
	parent := l.worldAt(t, m.parent, deepest, time)
	return m.below(p, parent, m.transform.world(p, parent, l.poseAt(t, &l.placed[m.parent], time).scaling))
}

// animate makes the channels of one node.
func (l *loader) animate(a *scene.Animation, t *take, i int) error {
	m := &l.placed[i]
	if err := l.animateMorphs(a, t, m); err != nil {
		return err
	}
	var curves []*curve
	curved, depth := false, 0
	for k := i; k >= 0 && depth < deepest; k, depth = l.placed[k].parent, depth+1 {
		if move := t.moves[l.placed[k].object]; move != nil {
			for c := range move.curves() {
				curves = append(curves, c)
			}
			curved = curved || len(move.rotation) > 0 || len(move.scaling) > 0 && (m.pivoted() || k != i)
		}
		if m.inherit == inheritRSrs { // then nothing above matters
			break
		}
	}
	if len(curves) == 0 {
		return nil
	}
	times, err := l.times(t, curves, curved)
	if err != nil || len(times) == 0 {
		return err
	}
	if l.samples += len(times) * depth; l.samples > maxAllSamples { // each is as much work as it has models above
		l.warnings.Add(tooLong)
		return nil
	}
	if !m.halves {
		rest := m.below(m.pose, l.above(m), m.world)
		a.Channels = append(a.Channels, channels(m.node, t, times, rest, func(time int64) affine { return l.localAt(t, i, time) })...)
		return nil
	}
	half := func(lower bool, poses func(k int) pose) affine {
		u, d := l.halvesOf(i, poses)
		if lower {
			return d
		}
		return u
	}
	for k, node := range [2]int{m.turn, m.node} {
		lower := k == 1
		rest := half(lower, func(k int) pose { return l.placed[k].pose })
		a.Channels = append(a.Channels, channels(node, t, times, rest, func(time int64) affine {
			return half(lower, func(k int) pose { return l.poseAt(t, &l.placed[k], time) })
		})...)
	}
	return nil
}

// channels samples the transform of a node, and returns those of its translation, rotation and scale that move.
func channels(node int, t *take, times []int64, rest affine, at func(time int64) affine) []scene.Channel {
	ch := [3]scene.Channel{
		{Node: node, Path: scene.PathTranslation}, {Node: node, Path: scene.PathRotation}, {Node: node, Path: scene.PathScale},
	}
	var before quat
	for _, time := range times {
		p, q, s := at(time).decompose()
		if q[0]*before[0]+q[1]*before[1]+q[2]*before[2]+q[3]*before[3] < 0 { // the short way round
			q = quat{-q[0], -q[1], -q[2], -q[3]}
		}
		before = q
		for k, v := range [][]float64{p[:], q[:], s[:]} {
			for _, x := range v {
				ch[k].Values = append(ch[k].Values, clean(x))
			}
		}
	}
	var out []scene.Channel
	p, q, s := rest.decompose()
	for k, v := range [][]float64{p[:], q[:], s[:]} {
		if !still(ch[k].Values, v) {
			ch[k].Times = t.seconds(times)
			out = append(out, ch[k])
		}
	}
	return out
}

func clean(x float64) float32 {
	if !(math.Abs(x) < math.MaxFloat32) {
		return 0
	}
	return float32(x)
}

// above is the world of a model's parent at rest.
func (l *loader) above(m *placed) affine {
	if m.parent < 0 {
		return identity
	}
	return l.placed[m.parent].world
}

// pivoted reports whether rotation or scale move the model's origin.
func (t *transform) pivoted() bool {
	return t.rotationPivot != vec3{} || t.scalingPivot != vec3{}
}

// still reports whether a channel is nothing but the value at rest.
func still(values []float32, rest []float64) bool {
	n := len(rest)
	for i, v := range values {
		if math.Abs(float64(v)-rest[i%n]) > 1e-6*max(1, math.Abs(rest[i%n])) {
			return false
		}
	}
	return true
}

// seconds are times from the start of the take.
func (t *take) seconds(times []int64) []float32 {
	out := make([]float32, len(times))
	for i, x := range times {
		out[i] = float32(seconds(x - t.start))
		if i > 0 && out[i] <= out[i-1] {
			out[i] = math.Nextafter32(out[i-1], math.MaxFloat32)
		}
	}
	return out
}

// times are those at which curves are sampled: their keys within the take, and the frames in between where some are curved.
// A curve that jumps is sampled right before it does.
func (l *loader) times(t *take, curves []*curve, curved bool) ([]int64, error) {
	const instant = ticksPerSecond / 10000
	var times []int64
	add := func(x int64) {
		if x >= t.start && x <= t.stop {
			times = append(times, x)
		}
	}
	for _, c := range curves {
		curved = curved || c.curved()
		for i, k := range c.keys {
			add(k.time)
			if i > 0 && c.keys[i-1].mode&keyConstant != 0 && c.keys[i-1].mode&keyConstantNext == 0 {
				add(k.time - instant)
			}
		}
	}
	add(t.start)
	add(t.stop)
	if span := float64(t.stop) - float64(t.start); curved && span > 0 {
		step := max(span/maxSamples, ticksPerSecond/l.frameRate())
		for k := 1.0; k*step < span; k++ {
			add(t.start + int64(math.Round(k*step)))
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	l.samples += len(times)
	if l.samples > maxAllSamples {
		l.warnings.Add(tooLong)
		return nil, nil
	}
	return times, l.budget.Take(100 * int64(len(times)))
}

// animateMorphs makes the channel of the weights of a node's morph targets.
func (l *loader) animateMorphs(a *scene.Animation, t *take, m *placed) error {
	if m.surface == nil || len(m.surface.morphs) == 0 {
		return nil
	}
	var curves []*curve
	of := make([]*curve, len(m.surface.morphs))
	for i, s := range m.surface.morphs {
		of[i] = t.morphs[s.channel]
		if s.channel == nil {
			of[i] = t.named[m.object][s.name]
		}
		if of[i] != nil {
			curves = append(curves, of[i])
		}
	}
	if len(curves) == 0 {
		return nil
	}
	times, err := l.times(t, curves, false)
	if err != nil || len(times) == 0 {
		return err
	}
	if l.samples += len(times) * len(of); l.samples > maxAllSamples {
		l.warnings.Add(tooLong)
		return nil
	}
	c := scene.Channel{Node: m.node, Path: scene.PathWeights, Times: t.seconds(times)}
	for _, time := range times {
		for i, s := range m.surface.morphs {
			percent := s.percent
			if of[i] != nil {
				percent = of[i].at(time)
			}
			c.Values = append(c.Values, s.weight(percent))
		}
	}
	a.Channels = append(a.Channels, c)
	return nil
}
