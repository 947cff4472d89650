package fbx

// legacy makes the graph of a file before version 6000: models hold their geometry, materials and links to bones, and
// name their children; their transform is what the channels of the first take say by default.
func (d *document) legacy() error {
	models := map[string]*object{}
	for i := range d.root.nodes {
		n := &d.root.nodes[i]
		if n.name != "Model" {
			continue
		}
		if err := d.budget.Take(1000); err != nil {
			return err
		}
		key := canonicalName(n.text(0))
		o := &object{class: "Model", name: displayName(n.text(0)), node: n, own: map[string]*node{}, kind: n.child("Type").text(0)}
		if o.kind == "" && n.child("Vertices") != nil {
			o.kind = "Mesh"
		}
		d.objects = append(d.objects, o)
		if models[key] == nil {
			models[key] = o
		}
		d.legacyPose(o, n)
		if o.kind == "Light" {
			o.adopt(n, map[string]string{"LightType": "LightType", "Color": "Color", "Intensity": "Intensity",
				"ConeAngle": "OuterAngle", "CastLight": "CastLight"})
		}
		for k := range n.nodes {
			if m := &n.nodes[k]; m.name == "Material" {
				made := d.legacyMaterial(m)
				d.objects = append(d.objects, made)
				connect(made, o, "")
			}
		}
	}
	if take := d.takes.child("Take"); take != nil {
		for i := range take.nodes {
			if n := &take.nodes[i]; n.name == "Model" {
				if o := models[canonicalName(n.text(0))]; o != nil {
					d.legacyPose(o, n)
				}
			}
		}
	}
	for _, o := range d.objects {
		d.legacyLinks(o, models)
	}
	root := models["Fbx_Root"]
	for _, o := range d.objects {
		if o.class == "Model" && o != root && !o.hasParent() {
			connect(o, d.scene, "")
		}
	}
	return nil
}

// legacyPose sets the transform of a model to the defaults of the channels in a record.
func (d *document) legacyPose(o *object, in *node) {
	transform := channel(in, "Transform")
	for letter, property := range map[string]string{"T": "Lcl Translation", "R": "Lcl Rotation", "S": "Lcl Scaling"} {
		c := channel(transform, letter)
		if c == nil {
			continue
		}
		p := &node{name: "Property", values: make([]value, 3, 6)}
		for _, axis := range []string{"X", "Y", "Z"} {
			v := channel(c, axis).child("Default").value(0)
			p.values = append(p.values, v)
		}
		o.own[property] = p
	}
	if v := channel(in, "Visibility").child("Default"); v != nil {
		o.own["Visibility"] = &node{name: "Property", values: append(make([]value, 3, 4), v.value(0))}
	}
}

// channel is the record "Channel: NAME" below n.
func channel(n *node, name string) *node {
	if n == nil {
		return nil
	}
	for i := range n.nodes {
		if c := &n.nodes[i]; c.name == "Channel" && c.text(0) == name {
			return c
		}
	}
	return nil
}

// legacyMaterial gives a material the properties that it has in later versions.
func (d *document) legacyMaterial(n *node) *object {
	o := &object{class: "Material", name: displayName(n.text(0)), node: n, own: map[string]*node{}}
	o.adopt(n, map[string]string{"Ambient": "AmbientColor", "Diffuse": "DiffuseColor", "Specular": "SpecularColor",
		"Emissive": "EmissiveColor", "Shininess": "ShininessExponent", "Alpha": "Opacity"})
	return o
}

// adopt makes properties of records.
func (o *object) adopt(n *node, names map[string]string) {
	for from, to := range names {
		if v := n.child(from); v != nil {
			o.own[to] = &node{name: "Property", values: append(make([]value, 3, 3+len(v.values)), v.values...)}
		}
	}
}

// legacyLinks connects a model with its children and, as the skin of later versions, with the models that bend it.
func (d *document) legacyLinks(o *object, models map[string]*object) {
	if o.class != "Model" {
		return
	}
	if list := o.node.child("Children"); list != nil {
		for i := range list.values {
			if c := models[canonicalName(list.text(i))]; c != nil && c != o {
				connect(c, o, "")
			}
		}
	}
	var skin *object
	for i := range o.node.nodes {
		n := &o.node.nodes[i]
		if n.name != "Link" {
			continue
		}
		bone := models[canonicalName(n.text(0))]
		if bone == nil {
			continue
		}
		if skin == nil {
			skin = &object{class: "Deformer", kind: "Skin", name: o.name, node: &node{}}
			connect(skin, o, "")
		}
		cluster := &object{class: "Deformer", kind: "Cluster", name: bone.name, node: n}
		connect(cluster, skin, "")
		connect(bone, cluster, "")
	}
}

// legacyLayers reads the attributes of a mesh before layers were invented.
func (b *builder) legacyLayers(s *surface) error {
	var err error
	if b.normals == nil {
		if b.normals, err = b.layer(b.node, "Normals", "", 3); err != nil {
			return err
		}
		if b.normals != nil && b.normals.count() == len(b.soup.Positions) {
			b.normals.mapping = byPoint
		}
	}
	if n := b.node.child("GeometryUVInfo"); n != nil && b.uvs[0] == nil {
		// What is called "ByPolygon" here is by corner.
		if b.uvs[0], err = b.layer(n, "TextureUV", "TextureUVVerticeIndex", 2); err != nil {
			return err
		}
		if b.uvs[0] != nil && b.uvs[0].mapping == byPolygon {
			b.uvs[0].mapping = byCorner
		}
		s.uvSets = append(s.uvSets, "")
	}
	if b.materials == nil {
		if b.materials, err = b.layer(b.node, "Materials", "", 1); err != nil {
			return err
		}
	}
	return nil
}
