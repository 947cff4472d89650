package fbx

import (
	"fmt"
	"strings"
)

// document7 is a file of version 7.
func document7(settings, objects, connections string) string {
	return "; FBX 7.4.0 project file\nFBXHeaderExtension:  {\n\tFBXVersion: 7400\n\tCreator: \"a test\"\n}\n" +
		"GlobalSettings: {\n Properties70: {\n" + settings + "\n}\n}\n" +
		"Objects:  {\n" + objects + "\n}\nConnections:  {\n" + connections + "\n}\n"
}

// p is a property of version 7.
func p(name, flags string, values ...any) string {
	text := make([]string, len(values))
	for i, v := range values {
		text[i] = fmt.Sprint(v)
		if _, ok := v.(string); ok {
			text[i] = fmt.Sprintf("%q", v)
		}
	}
	kind := "Number"
	switch {
	case len(values) == 3:
		kind = "Vector"
	case len(values) == 1 && strings.HasPrefix(text[0], `"`):
		kind = "KString"
	}
	return fmt.Sprintf("P: %q, %q, \"\", %q,%s\n", name, kind, flags, strings.Join(text, ","))
}

func model(id int, name, kind string, properties ...string) string {
	return fmt.Sprintf("Model: %d, \"Model::%s\", %q {\nVersion: 232\nProperties70: {\n%s}\n}\n",
		id, name, kind, strings.Join(properties, ""))
}

// square is a square of 100 in its XY plane, with two triangles, and layers.
func square(id int, layers ...string) string {
	return fmt.Sprintf("Geometry: %d, \"Geometry::square\", \"Mesh\" {\nVertices: *12 {\n a: 0,0,0,100,0,0,100,100,0,0,100,0\n}\n"+
		"PolygonVertexIndex: *6 {\n a: 0,1,-3,0,2,-4\n}\n%s}\n", id, strings.Join(layers, ""))
}

// element is a layer element.
func element(kind, values, mapping, reference, arrays string) string {
	return fmt.Sprintf("LayerElement%s: 0 {\nMappingInformationType: %q\nReferenceInformationType: %q\n%s: %s\n}\n",
		kind, mapping, reference, values, arrays)
}

const uvLayer = "LayerElementUV: 0 {\nName: \"map1\"\nMappingInformationType: \"ByPolygonVertex\"\n" +
	"ReferenceInformationType: \"IndexToDirect\"\nUV: *8 {\na: 0,0,1,0,1,1,0,1\n}\nUVIndex: *6 {\na: 0,1,2,0,2,3\n}\n}\n"

func connections(pairs ...any) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		to := fmt.Sprint(pairs[i+1])
		kind := "OO"
		if id, property, ok := strings.Cut(to, " "); ok {
			kind, to = "OP", fmt.Sprintf("%s, %q", id, property)
		}
		fmt.Fprintf(&b, "C: %q,%v,%s\n", kind, pairs[i], to)
	}
	return b.String()
}

// everything7 has one of all that the importer reads: a skinned and a morphed square, materials, a texture, a light, and an
// animation of a bone and of the morph target.
func everything7() string {
	identity := "1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1"
	return document7(p("UpAxis", "", 2)+p("FrontAxis", "", 1)+p("FrontAxisSign", "", -1)+p("UnitScaleFactor", "", 1),
		model(1, "top", "Null", p("Lcl Translation", "A", 0, 0, 50))+
			model(2, "skinned", "Mesh", p("part number", "U", 12), p("GeometricTranslation", "", 0, 0, 1))+
			model(3, "bone", "LimbNode", p("Lcl Rotation", "A", 0, 30, 0), p("PreRotation", "", 10, 0, 0), p("RotationActive", "", 1),
				p("RotationPivot", "", 0, 5, 0), p("InheritType", "", 1))+
			model(4, "lamp", "Light")+
			square(10, uvLayer,
				element("Normal", "Normals", "ByVertice", "Direct", "*12 {\na: 0,0,1,0,0,1,0,0,1,0,0,1\n}"),
				element("Color", "Colors", "AllSame", "Direct", "*4 {\na: 1,0.5,0,1\n}"),
				element("Material", "Materials", "ByPolygon", "IndexToDirect", "*2 {\na: 0,1\n}"))+
			"Deformer: 20, \"Deformer::\", \"Skin\" {\nVersion: 101\n}\n"+
			"Deformer: 21, \"SubDeformer::\", \"Cluster\" {\nIndexes: *2 {\na: 0,1\n}\nWeights: *2 {\na: 1,0.5\n}\n"+
			"Transform: *16 {\na: "+identity+"\n}\n}\n"+
			"Deformer: 22, \"Deformer::\", \"BlendShape\" {\nVersion: 100\n}\n"+
			"Deformer: 23, \"SubDeformer::shape\", \"BlendShapeChannel\" {\nDeformPercent: 25\nFullWeights: *1 {\na: 100\n}\n}\n"+
			"Geometry: 24, \"Geometry::shape\", \"Shape\" {\nIndexes: *1 {\na: 2\n}\nVertices: *3 {\na: 0,0,10\n}\n}\n"+
			"Material: 30, \"Material::red\", \"\" {\nShadingModel: \"lambert\"\nProperties70: {\n"+p("DiffuseColor", "A", 1, 0, 0)+"}\n}\n"+
			"Material: 31, \"Material::physical\", \"\" {\nShadingModel: \"unknown\"\nProperties70: {\n"+p("Maya|baseColor", "", 0, 1, 0)+
			p("Maya|metalness", "", 0.5)+"}\n}\n"+
			"Texture: 40, \"Texture::t\", \"\" {\nFileName: \"C:\\none\\a.png\"\nRelativeFilename: \"a.png\"\nProperties70: {\n"+
			p("UVSet", "", "map1")+
			p("Scaling", "A", 0.5, 0.5, 1)+"}\n}\n"+
			"NodeAttribute: 50, \"NodeAttribute::\", \"Light\" {\nProperties70: {\n"+p("LightType", "", 2)+p("OuterAngle", "A", 60)+"}\n}\n"+
			"AnimationStack: 60, \"AnimStack::walk\", \"\" {\nProperties70: {\n"+p("LocalStop", "", 46186158000)+"}\n}\n"+
			"AnimationLayer: 61, \"AnimLayer::base\", \"\" {\n}\n"+
			"AnimationCurveNode: 62, \"AnimCurveNode::R\", \"\" {\nProperties70: {\n"+p("d|X", "A", 0)+p("d|Y", "A", 30)+p("d|Z", "A", 0)+"}\n}\n"+
			"AnimationCurveNode: 63, \"AnimCurveNode::DeformPercent\", \"\" {\n}\n"+curve7(64, "0,46186158000", "30,90", "8456,8456")+
			curve7(65, "0,23093079000,46186158000", "0,100,50", "4,2,4"),
		connections(1, 0, 2, 1, 3, 1, 4, 1, 10, 2, 20, 10, 21, 20, 3, 21, 22, 10, 23, 22, 24, 23, 30, 2, 31, 2, 40, "30 DiffuseColor", 50, 4,
			61, 60, 62, 61, 63, 61, 62, "3 Lcl Rotation", 63, "23 DeformPercent", 64, "62 d|Y", 65, "63 d|DeformPercent"))
}

func curve7(id int, times, values, flags string) string {
	n := strings.Count(times, ",") + 1
	return fmt.Sprintf("AnimationCurve: %d, \"AnimCurve::\", \"\" {\nKeyVer: 4007\nKeyTime: *%d {\na: %s\n}\nKeyValueFloat: *%d {\na: %s\n}\n"+
		"KeyAttrFlags: *%d {\na: %s\n}\nKeyAttrDataFloat: *%d {\na: %s\n}\nKeyAttrRefCount: *%d {\na: %s\n}\n}\n",
		id, n, times, n, values, n, flags, 4*n, strings.Repeat("0,", 4*n-1)+"0", n, strings.Repeat("1,", n-1)+"1")
}

// everything6 is much of the same in version 6: names for numbers, geometry within models, takes.
const everything6 = `; FBX 6.1.0 project file
FBXHeaderExtension:  {
	FBXVersion: 6100
}
Objects:  {
	Model: "Model::top", "Null" {
		Properties60:  {
			Property: "Lcl Scaling", "Lcl Scaling", "A+",2,2,2
		}
	}
	Model: "Model::square", "Mesh" {
		Properties60:  {
			Property: "Lcl Translation", "Lcl Translation", "A+",0,0,10
			Property: "note", "KString", "U", "hello"
			Property: "up", "Number", "A+U",50
		}
		Vertices: 0,0,0,100,0,0,100,100,0
		,0,100,0
		PolygonVertexIndex: 0,1,2,-4
		LayerElementUV: 0 {
			MappingInformationType: "ByPolygonVertex"
			ReferenceInformationType: "IndexToDirect"
			UV: 0,0,1,0,1,1,0,1
			UVIndex: 0,1,2,3
		}
		LayerElementTexture: 0 {
			MappingInformationType: "AllSame"
			ReferenceInformationType: "IndexToDirect"
			TextureId: 0
		}
		LayerElementMaterial: 0 {
			MappingInformationType: "AllSame"
			ReferenceInformationType: "IndexToDirect"
			Materials: 0
		}
		Shape: "up" {
			Indexes: 0
			Vertices: 0,0,10
		}
	}
	Material: "Material::blue", "" {
		ShadingModel: "phong"
		Properties60:  {
			Property: "DiffuseColor", "ColorRGB", "",0,0,1
			Property: "Opacity", "double", "",0.5
		}
	}
	Texture: "Texture::t", "" {
		FileName: "a.png"
		RelativeFilename: "a.png"
	}
	Deformer: "Deformer::Skin square", "Skin" {
	}
	Deformer: "SubDeformer::Cluster top", "Cluster" {
		Indexes: 0,1
		Weights: 1,1
	}
}
Connections:  {
	Connect: "OO", "Model::top", "Model::Scene"
	Connect: "OO", "Model::square", "Model::top"
	Connect: "OO", "Material::blue", "Model::square"
	Connect: "OO", "Texture::t", "Model::square"
	Connect: "OO", "Deformer::Skin square", "Model::square"
	Connect: "OO", "SubDeformer::Cluster top", "Deformer::Skin square"
	Connect: "OO", "Model::top", "SubDeformer::Cluster top"
}
Takes:  {
	Take: "one" {
		LocalTime: 0,46186158000
		Model: "Model::top" {
			Channel: "Transform" {
				Channel: "T" {
					Channel: "X" {
						Default: 0
						Key: 
							0,0,L,23093079000,10,C,s,46186158000,20,U,s,0,0,n
					}
					Channel: "Y" {
						Default: 5
					}
				}
			}
		}
		Model: "Model::square" {
			Channel: "up" {
				Key: 0,0,U,s,100,100,a,0.3,0.4,46186158000,100,U,a,n
			}
		}
	}
}
`

// everything5 is a model of version 5: all inside of it.
const everything5 = `FBXHeaderExtension:  {
    FBXVersion: 5800
}
Model: "Model::bone" {
    Type: "Limb"
    Channel: "Transform" {
        Channel: "T" {
            Channel: "X" {
                Default: 10
            }
            Channel: "Y" {
                Default: 20
            }
            Channel: "Z" {
                Default: 30
            }
        }
    }
    Children: "Model::square", "Model::square", "Model::bone"
}
Model: "Model::square" {
    Material: "Material::one" {
        ShadingModel: "phong"
        Diffuse: 0.5,0.5,0.5
    }
    Material: "Material::two" {
        ShadingModel: "lambert"
        Diffuse: 0,1,0
        Alpha: 1
    }
    Link: "Model::bone" {
        Indexes: 0,1
        Weights: 1,1
        Transform: 1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1
    }
    Vertices: 0,0,0,100,0,0,100,100,0
     ,0,100,0
    Normals: 0,0,1,0,0,1,0,0,1,0,0,1
    MaterialAssignation: "ByPolygon"
    Materials: 1
    PolygonVertexIndex: 0,1,2,-4
    GeometryUVInfo:  {
        MappingInformationType: "ByPolygon"
        TextureUV: 0,0,1,0,1,1,0,1
        TextureUVVerticeIndex: 0,1,2,3
    }
    Shape: "up" {
        Indexes: 0
        Vertices: 0,0,10
    }
}
Model: "Model::lamp" {
    Type: "Light"
    LightType: 1
    Color: 1,0,0
    Intensity: 50
}
Takes:  {
    Take: "one" {
        Model: "Model::square" {
            Channel: "up (Shape)" {
                Key: 0,0,L,46186158000,100,L
            }
        }
    }
}
`
