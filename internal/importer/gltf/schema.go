package gltf

import (
	"encoding/json"
	"fmt"
	"math"
)

// The members of glTF 2.0 section 5 that import needs. Sizes and indices are checked where they are used.

type document struct {
	Asset struct {
		Version    string `json:"version"`
		MinVersion string `json:"minVersion"`
		Generator  string `json:"generator"`
	} `json:"asset"`
	ExtensionsUsed     []string     `json:"extensionsUsed"`
	ExtensionsRequired []string     `json:"extensionsRequired"`
	Scene              *integer     `json:"scene"`
	Scenes             []sceneJSON  `json:"scenes"`
	Nodes              []node       `json:"nodes"`
	Meshes             []mesh       `json:"meshes"`
	Skins              []skin       `json:"skins"`
	Animations         []animation  `json:"animations"`
	Materials          []material   `json:"materials"`
	Textures           []texture    `json:"textures"`
	Images             []imageJSON  `json:"images"`
	Samplers           []sampler    `json:"samplers"`
	Accessors          []accessor   `json:"accessors"`
	BufferViews        []bufferView `json:"bufferViews"`
	Buffers            []buffer     `json:"buffers"`
	Extensions         struct {
		Lights struct {
			Lights []light `json:"lights"`
		} `json:"KHR_lights_punctual"`
		Variants struct {
			Variants []struct {
				Name string `json:"name"`
			} `json:"variants"`
		} `json:"KHR_materials_variants"`
	} `json:"extensions"`
}

type sceneJSON struct {
	Name  string    `json:"name"`
	Nodes []integer `json:"nodes"`
}

type node struct {
	Name        string          `json:"name"`
	Children    []integer       `json:"children"`
	Mesh        *integer        `json:"mesh"`
	Skin        *integer        `json:"skin"`
	Matrix      []float32       `json:"matrix"`
	Translation *[3]float32     `json:"translation"`
	Rotation    *[4]float32     `json:"rotation"`
	Scale       *[3]float32     `json:"scale"`
	Weights     []float32       `json:"weights"`
	Extras      json.RawMessage `json:"extras"`
	Extensions  struct {
		Instancing *struct {
			Attributes map[string]integer `json:"attributes"`
		} `json:"EXT_mesh_gpu_instancing"`
		Light *struct {
			Light integer `json:"light"`
		} `json:"KHR_lights_punctual"`
	} `json:"extensions"`
}

type light struct {
	Type      string      `json:"type"`
	Color     *[3]float32 `json:"color"`
	Intensity *float32    `json:"intensity"`
	Range     float32     `json:"range"`
	Spot      struct {
		Inner float32  `json:"innerConeAngle"`
		Outer *float32 `json:"outerConeAngle"`
	} `json:"spot"`
}

type skin struct {
	Name     string    `json:"name"`
	Inverse  *integer  `json:"inverseBindMatrices"`
	Skeleton *integer  `json:"skeleton"`
	Joints   []integer `json:"joints"`
}

type animation struct {
	Name     string `json:"name"`
	Channels []struct {
		Sampler integer `json:"sampler"`
		Target  struct {
			Node *integer `json:"node"`
			Path string   `json:"path"`
		} `json:"target"`
	} `json:"channels"`
	Samplers []struct {
		Input         integer `json:"input"`
		Output        integer `json:"output"`
		Interpolation string  `json:"interpolation"`
	} `json:"samplers"`
}

type mesh struct {
	Name       string      `json:"name"`
	Primitives []primitive `json:"primitives"`
	Weights    []float32   `json:"weights"`
}

type primitive struct {
	Attributes map[string]integer   `json:"attributes"`
	Indices    *integer             `json:"indices"`
	Material   *integer             `json:"material"`
	Mode       *integer             `json:"mode"`
	Targets    []map[string]integer `json:"targets"`
	Extensions struct {
		Draco    *dracoJSON `json:"KHR_draco_mesh_compression"`
		Variants *struct {
			Mappings []struct {
				Material integer   `json:"material"`
				Variants []integer `json:"variants"`
			} `json:"mappings"`
		} `json:"KHR_materials_variants"`
	} `json:"extensions"`
}

type dracoJSON struct {
	BufferView *integer           `json:"bufferView"`
	Attributes map[string]integer `json:"attributes"` // unique ids inside the compressed data
}

type material struct {
	Name string `json:"name"`
	PBR  struct {
		BaseColorFactor *[4]float32 `json:"baseColorFactor"`
		BaseColorTex    *texInfo    `json:"baseColorTexture"`
		MetallicFactor  *float32    `json:"metallicFactor"`
		RoughnessFactor *float32    `json:"roughnessFactor"`
		MetalRoughTex   *texInfo    `json:"metallicRoughnessTexture"`
	} `json:"pbrMetallicRoughness"`
	NormalTex      *texInfo   `json:"normalTexture"`
	OcclusionTex   *texInfo   `json:"occlusionTexture"`
	EmissiveTex    *texInfo   `json:"emissiveTexture"`
	EmissiveFactor [3]float32 `json:"emissiveFactor"`
	AlphaMode      string     `json:"alphaMode"`
	AlphaCutoff    *float32   `json:"alphaCutoff"`
	DoubleSided    bool       `json:"doubleSided"`
	Extensions     struct {
		Unlit            *struct{} `json:"KHR_materials_unlit"`
		EmissiveStrength *struct {
			Strength *float32 `json:"emissiveStrength"`
		} `json:"KHR_materials_emissive_strength"`
		SpecularGlossiness *specularGlossiness `json:"KHR_materials_pbrSpecularGlossiness"`
		Packing            *packing            `json:"MSFT_packing_occlusionRoughnessMetallic"`
		layers
	} `json:"extensions"`
}

type texInfo struct {
	Index      *integer `json:"index"`
	TexCoord   integer  `json:"texCoord"`
	Scale      *float32 `json:"scale"`    // of a normal texture
	Strength   *float32 `json:"strength"` // of an occlusion texture
	Extensions struct {
		Transform *struct {
			Offset   [2]float32  `json:"offset"`
			Rotation float32     `json:"rotation"`
			Scale    *[2]float32 `json:"scale"`
			TexCoord *integer    `json:"texCoord"`
		} `json:"KHR_texture_transform"`
	} `json:"extensions"`
}

type texture struct {
	Name       string   `json:"name"`
	Sampler    *integer `json:"sampler"`
	Source     *integer `json:"source"`
	Extensions struct {
		WebP  textureSource `json:"EXT_texture_webp"`
		Basis textureSource `json:"KHR_texture_basisu"`
	} `json:"extensions"`
}

type textureSource struct {
	Source *integer `json:"source"`
}

type imageJSON struct {
	Name       string   `json:"name"`
	URI        *string  `json:"uri"`
	BufferView *integer `json:"bufferView"`
}

type sampler struct {
	MagFilter integer  `json:"magFilter"`
	WrapS     *integer `json:"wrapS"`
	WrapT     *integer `json:"wrapT"`
}

type accessor struct {
	BufferView    *integer `json:"bufferView"`
	ByteOffset    integer  `json:"byteOffset"`
	ComponentType integer  `json:"componentType"`
	Normalized    bool     `json:"normalized"`
	Count         integer  `json:"count"`
	Type          string   `json:"type"`
	Sparse        *struct {
		Count   integer `json:"count"`
		Indices struct {
			BufferView    *integer `json:"bufferView"`
			ByteOffset    integer  `json:"byteOffset"`
			ComponentType integer  `json:"componentType"`
		} `json:"indices"`
		Values struct {
			BufferView *integer `json:"bufferView"`
			ByteOffset integer  `json:"byteOffset"`
		} `json:"values"`
	} `json:"sparse"`

	unpacked []byte // decompressed elements, tightly packed; nil = see BufferView
	at       string // where it is in the file; "" = where it is in Accessors
}

type bufferView struct {
	Buffer     *integer `json:"buffer"`
	ByteOffset integer  `json:"byteOffset"`
	ByteLength integer  `json:"byteLength"`
	ByteStride *integer `json:"byteStride"`
	Extensions struct {
		EXT *compression `json:"EXT_meshopt_compression"`
		KHR *compression `json:"KHR_meshopt_compression"`
	} `json:"extensions"`

	unpacked []byte // decompressed, nil = see Buffer
}

// compression is how meshopt compressed a buffer view.
type compression struct {
	Buffer     *integer `json:"buffer"`
	ByteOffset integer  `json:"byteOffset"`
	ByteLength integer  `json:"byteLength"`
	ByteStride integer  `json:"byteStride"`
	Count      integer  `json:"count"`
	Mode       string   `json:"mode"`
	Filter     string   `json:"filter"`
}

type buffer struct {
	URI        *string `json:"uri"`
	ByteLength integer `json:"byteLength"`
	Extensions struct {
		EXT fallback `json:"EXT_meshopt_compression"`
		KHR fallback `json:"KHR_meshopt_compression"`
	} `json:"extensions"`
}

// fallback tells that a buffer only serves loaders that cannot decompress.
type fallback struct {
	Fallback bool `json:"fallback"`
}

// integer is a JSON number without a fraction, written 3 or 3.0 (glTF 2.0 section 2.7), within +-2^53: sums and small
// products of integers do not overflow.
type integer int64

const maxInteger = 1 << 53

func (n *integer) UnmarshalJSON(b []byte) error {
	var v int64
	for _, c := range b { // the usual case, without allocation
		if c < '0' || c > '9' || v > maxInteger {
			var f float64
			if err := json.Unmarshal(b, &f); err != nil || f != math.Trunc(f) || math.Abs(f) > maxInteger {
				return fmt.Errorf("%.40s is not an integer", b)
			}
			*n = integer(f)
			return nil
		}
		v = 10*v + int64(c-'0')
	}
	*n = integer(v)
	return nil
}
