//go:build unix

package mesh_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// processor is the CPU time of this process.
func processor() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkBuildHierarchy reports seconds of wall and CPU time per million source triangles.
func BenchmarkBuildHierarchy(b *testing.B) {
	terrain := terrain(500)
	bare := *terrain
	bare.Normals = nil
	for _, c := range []struct {
		name    string
		p       *scene.Primitive
		threads int
	}{
		{"positions/1", &bare, 1}, {"normals/1", terrain, 1}, {"seams/1", sphere(290, 0.02), 1}, {"normals/2", terrain, 2},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			cpu := processor()
			for range b.N {
				err := mesh.BuildHierarchy(context.Background(), c.p, mesh.HierarchyOptions{Threads: c.threads},
					func(mesh.Group, *mesh.Mesh, []int32) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
			millions := float64(b.N) * float64(len(c.p.Indices)/3) / 1e6
			b.ReportMetric(b.Elapsed().Seconds()/millions, "s/Mtri")
			b.ReportMetric((processor()-cpu).Seconds()/millions, "cpu-s/Mtri")
		})
	}
}

// BenchmarkBuildSmall is for scenes of very many parts: microseconds per part of 192 triangles.
func BenchmarkBuildSmall(b *testing.B) {
	p := sphere(4, 0.02)
	b.ReportAllocs()
	for range b.N {
		if _, err := mesh.Resident(context.Background(), p, mesh.HierarchyOptions{Threads: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
