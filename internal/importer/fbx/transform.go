package fbx

// How a child inherits the scale of its parent (FbxTransform::EInheritType).
const (
	inheritRrSs = 0 // axis by axis, after the child's rotation
	inheritRSrs = 1 // as matrices do
	inheritRrs  = 2 // not from its parent, only from above
)

// transform is what places a model below its parent, in the words of the FBX SDK:
//
//	T * Roff * Rp * Rpre * R * Rpost^-1 * Rp^-1 * Soff * Sp * S * Sp^-1
type transform struct {
	pose                          pose // at rest
	angles                        vec3 // of the pose, in degrees
	order                         int
	before, after                 affine // Rpre, Rpost^-1
	rotationOffset, rotationPivot vec3
	scalingOffset, scalingPivot   vec3
	inherit                       int
}

// pose is the part of a transform that animations move: T, R and S.
type pose struct {
	translation, scaling vec3
	rotation             affine
}

// transform reads the transform of a model, in metres. Pre and post rotation and the order of the axes count only where
// RotationActive and RotationSpaceForLimitOnly say so.
func (l *loader) transform(p properties) transform {
	one := vec3{1, 1, 1}
	t := transform{
		pose:   pose{translation: p.vector("Lcl Translation", vec3{}).times(l.unit), scaling: p.vector("Lcl Scaling", one)},
		angles: p.vector("Lcl Rotation", vec3{}), before: identity, after: identity,
		rotationOffset: p.vector("RotationOffset", vec3{}).times(l.unit), rotationPivot: p.vector("RotationPivot", vec3{}).times(l.unit),
		scalingOffset: p.vector("ScalingOffset", vec3{}).times(l.unit), scalingPivot: p.vector("ScalingPivot", vec3{}).times(l.unit),
		inherit: p.int("InheritType", inheritRSrs),
	}
	if p.bool("RotationActive", false) && !p.bool("RotationSpaceForLimitOnly", false) {
		t.order = p.int("RotationOrder", 0)
		t.before = euler(p.vector("PreRotation", vec3{}), 0)
		t.after, _ = euler(p.vector("PostRotation", vec3{}), 0).inverse()
	}
	t.pose.rotation = euler(t.angles, t.order)
	return t
}

// turned is the rotation alone.
func (t *transform) turned(p pose) affine { return t.before.mul(p.rotation).mul(t.after) }

// local is the whole chain.
func (t *transform) local(p pose) affine {
	m := translation(p.translation.add(t.rotationOffset).add(t.rotationPivot)).mul(t.turned(p))
	m = m.mul(translation(t.scalingOffset.add(t.scalingPivot).sub(t.rotationPivot)))
	return m.mul(scaling(p.scaling)).mul(translation(t.scalingPivot.times(-1)))
}

// world places a model that inherits from a parent; scale is the parent's own (the SDK's CalculateGlobalTransform).
func (t *transform) world(p pose, parent affine, scale vec3) affine {
	local := t.local(p)
	if t.inherit == inheritRSrs {
		return parent.mul(local)
	}
	rotation := rotationOf(parent)
	back, _ := rotation.inverse()
	stretch := back.mul(parent.linear())
	if t.inherit == inheritRrs {
		undo, ok := scaling(scale).inverse()
		if !ok {
			return parent.mul(local)
		}
		stretch = stretch.mul(undo)
	}
	w := rotation.mul(t.turned(p)).mul(stretch).mul(scaling(p.scaling))
	at := parent.point(local.column(3))
	w[9], w[10], w[11] = at[0], at[1], at[2]
	return w
}

// rotationOf is the rotation part of a matrix.
func rotationOf(m affine) affine {
	_, q, _ := m.decompose()
	return q.affine()
}

func (q quat) affine() affine {
	x, y, z, w := q[0], q[1], q[2], q[3]
	return affine{
		1 - 2*(y*y+z*z), 2 * (x*y + z*w), 2 * (x*z - y*w),
		2 * (x*y - z*w), 1 - 2*(x*x+z*z), 2 * (y*z + x*w),
		2 * (x*z + y*w), 2 * (y*z - x*w), 1 - 2*(x*x+y*y),
	}
}

// geometric is the transform of a model's geometry that its children do not inherit.
func (l *loader) geometric(p properties) affine {
	m := translation(p.vector("GeometricTranslation", vec3{}).times(l.unit))
	return m.mul(euler(p.vector("GeometricRotation", vec3{}), 0)).mul(scaling(p.vector("GeometricScaling", vec3{1, 1, 1})))
}

// axes is the matrix that turns the axes of the file into right +X, up +Y, front +Z. A left-handed file is mirrored.
func (l *loader) axes() affine {
	var m affine
	used := [3]bool{}
	for row, name := range []string{"CoordAxis", "UpAxis", "FrontAxis"} {
		axis := l.settings.int(name, row)
		sign := 1.0
		if l.settings.int(name+"Sign", 1) < 0 {
			sign = -1
		}
		if axis < 0 || axis > 2 || used[axis] {
			l.warnings.Add("The axes of the file make no sense; they are taken as +Y up.")
			return identity
		}
		used[axis] = true
		m[3*axis+row] = sign
	}
	return m
}
