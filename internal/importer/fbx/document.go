package fbx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/heliograph/heliograph/internal/importer"
)

// file is a parsed file.
type file struct {
	root    node
	version int
	binary  bool
	order   binary.ByteOrder
	budget  *importer.Budget
}

// Versions 6000 and up have objects with properties and a list of connections, 7000 and up numbers for them. The versions
// before keep everything inside of models; see legacy.
const (
	oldestVersion = 3000
	objects       = 6000
	ids           = 7000
	newestVersion = 7999
)

// parse reads a whole file.
func parse(b []byte, budget *importer.Budget) (*file, error) {
	var f *file
	var err error
	if bytes.HasPrefix(b, []byte(magic)) {
		f, err = parseBinary(b, budget)
	} else {
		f, err = parseASCII(b, budget)
	}
	if err != nil {
		return nil, err
	}
	if v := f.root.child("FBXHeaderExtension").child("FBXVersion"); v != nil {
		f.version = int(v.int(0))
	} else if !f.binary && f.root.child("Objects") == nil && f.root.child("Model") == nil {
		return nil, fmt.Errorf("the file is not FBX")
	} else if f.version == 0 {
		f.version = objects + 100
	}
	if f.version < oldestVersion || f.version > newestVersion {
		return nil, fmt.Errorf("FBX version %d is not supported; %d to %d are", f.version, oldestVersion, newestVersion)
	}
	return f, nil
}

// object is one thing of a document: a model, a geometry, a material ...
type object struct {
	class string // name of its record
	kind  string // "Mesh", "LimbNode", "Cluster" ...
	name  string
	node  *node
	up    []link // what it is connected to
	down  []link // what is connected to it, in the order of the file

	own map[string]*node // properties that the record does not list, before version 6
}

// link is one end of a connection; property is that of the parent which the child drives, "" = none.
type link struct {
	to       *object
	property string
}

// document is a file as a graph of objects.
type document struct {
	*file
	objects   []*object
	scene     *object // parent of the models at the top
	templates map[string]map[string]*node
	settings  properties
	takes     *node
}

// newDocument makes the graph.
func newDocument(f *file) (*document, error) {
	d := &document{file: f, scene: &object{class: "Model", name: "Scene", node: &node{}}, takes: f.root.child("Takes")}
	settings := f.root.child("GlobalSettings")
	if settings == nil {
		settings = f.root.child("Objects").child("GlobalSettings")
	}
	d.settings = properties{own: propertyMap(settings)}
	d.readTemplates()
	if f.version < objects {
		return d, d.legacy()
	}
	names := map[string]*object{"Model::Scene": d.scene, "Scene::Scene": d.scene}
	numbers := map[int64]*object{0: d.scene}
	all := f.root.child("Objects")
	if all == nil {
		return nil, fmt.Errorf("the file has no objects")
	}
	if err := f.budget.Take(200 * int64(len(all.nodes))); err != nil {
		return nil, err
	}
	for i := range all.nodes {
		n := &all.nodes[i]
		o := &object{class: n.name, node: n}
		full := n.text(0)
		if f.version >= ids {
			full, o.kind = n.text(1), n.text(2)
			if _, ok := numbers[n.int(0)]; !ok {
				numbers[n.int(0)] = o
			}
		} else {
			o.kind = n.text(1)
		}
		o.name = displayName(full)
		if f.version < ids {
			if key := canonicalName(full); names[key] == nil {
				names[key] = o
			}
		}
		d.objects = append(d.objects, o)
	}
	list := f.root.child("Connections")
	if list == nil {
		return d, nil
	}
	for i := range list.nodes {
		c := &list.nodes[i]
		var from, to *object
		if f.version >= ids {
			from, to = numbers[c.int(1)], numbers[c.int(2)]
		} else {
			from, to = names[canonicalName(c.text(1))], names[canonicalName(c.text(2))]
		}
		if from == nil || to == nil || from == to || from == d.scene {
			continue
		}
		property := ""
		switch c.text(0) {
		case "OO":
		case "OP":
			property = c.text(3)
		default: // properties to properties and to objects: constraints and references
			continue
		}
		if err := f.budget.Take(100); err != nil {
			return nil, err
		}
		connect(from, to, property)
	}
	return d, nil
}

func connect(child, parent *object, property string) {
	child.up = append(child.up, link{parent, property})
	parent.down = append(parent.down, link{child, property})
}

// separator stands between name and class in binary files, "class::" before the name in others.
const separator = "\x00\x01"

func displayName(full string) string {
	full = strings.ToValidUTF8(full, "\uFFFD")
	if name, _, ok := strings.Cut(full, separator); ok {
		return name
	}
	if _, name, ok := strings.Cut(full, "::"); ok {
		return name
	}
	return full
}

func canonicalName(full string) string {
	if name, class, ok := strings.Cut(full, separator); ok {
		return class + "::" + name
	}
	return full
}

// children yields the objects of a class that are connected to o.
func (o *object) children(class string) func(yield func(*object) bool) {
	return func(yield func(*object) bool) {
		for _, l := range o.down {
			if l.to.class == class && l.property == "" && !yield(l.to) {
				return
			}
		}
	}
}

// readTemplates reads the defaults of the properties of each class.
func (d *document) readTemplates() {
	d.templates = map[string]map[string]*node{}
	list := d.root.child("Definitions")
	if list == nil {
		return
	}
	for i := range list.nodes {
		t := &list.nodes[i]
		if t.name != "ObjectType" {
			continue
		}
		for k := range t.nodes {
			if t.nodes[k].name == "PropertyTemplate" {
				class := t.text(0)
				if class == "NodeAttribute" || class == "Deformer" || class == "Geometry" || d.templates[class] != nil {
					class += " " + t.nodes[k].text(0)
				}
				d.templates[class] = propertyMap(&t.nodes[k])
			}
		}
	}
}

// propertyMap lists the properties of a record by their names.
func propertyMap(n *node) map[string]*node {
	list := n.child("Properties70")
	if list == nil {
		list = n.child("Properties60")
	}
	if list == nil {
		return nil
	}
	m := make(map[string]*node, len(list.nodes))
	for i := range list.nodes {
		p := &list.nodes[i]
		if name := p.text(0); len(p.values) > 1 && m[name] == nil {
			m[name] = p
		}
	}
	return m
}

// properties finds the value of a property: the object's own, else that of its class.
type properties struct {
	own, template map[string]*node
}

func (d *document) properties(o *object) properties {
	if o.own != nil {
		return properties{own: o.own}
	}
	return properties{propertyMap(o.node), d.templates[o.class]}
}

func (p properties) find(name string) *node {
	if n := p.own[name]; n != nil {
		return n
	}
	return p.template[name]
}

// first is the index of a property's first value: after its name and type, a second type in version 7, and its flags.
func first(p *node) int {
	if p.name == "P" {
		return 4
	}
	return 3
}

func (p properties) number(name string, otherwise float64) float64 {
	n := p.find(name)
	if n == nil {
		return otherwise
	}
	if v, ok := n.value(first(n)).float(); ok && finite(v) {
		return v
	}
	return otherwise
}

func (p properties) int(name string, otherwise int) int {
	return int(p.number(name, float64(otherwise)))
}

func (p properties) bool(name string, otherwise bool) bool {
	if n := p.find(name); n == nil || len(n.values) <= first(n) {
		return otherwise
	}
	return p.number(name, 1) != 0
}

func (p properties) vector(name string, otherwise vec3) vec3 {
	if v, ok := p.lookupVector(name); ok {
		return v
	}
	return otherwise
}

func (p properties) lookupVector(name string) (v vec3, ok bool) {
	n := p.find(name)
	if n == nil || len(n.values) < first(n)+3 {
		return v, false
	}
	for k := range v {
		v[k] = n.number(first(n) + k)
	}
	return v, finite(v[:]...)
}

func (p properties) text(name string) string {
	n := p.find(name)
	if n == nil {
		return ""
	}
	return n.text(first(n))
}

// creator is the program that made the file, as far as it says so.
func (d *document) creator() string {
	header := d.root.child("FBXHeaderExtension")
	for _, info := range []*node{header.child("SceneInfo"), d.root.child("Objects").child("SceneInfo")} {
		p := properties{own: propertyMap(info)}
		if name := p.text("Original|ApplicationName"); name != "" {
			return strings.TrimSpace(strings.ToValidUTF8(name+" "+p.text("Original|ApplicationVersion"), "\uFFFD"))
		}
	}
	for _, n := range []*node{d.root.child("Creator"), header.child("Creator")} {
		if name := n.text(0); name != "" {
			return strings.ToValidUTF8(name, "\uFFFD")
		}
	}
	return ""
}
