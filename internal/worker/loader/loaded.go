package loader

import (
	"context"
	"sync"

	"github.com/heliograph/heliograph/internal/scene"
)

// Loaded is a model with what it keeps open.
type Loaded struct {
	Model *scene.Model

	convert func(ctx context.Context) (*Loaded, error)
	close   func()
	once    sync.Once
}

// Convertible reports whether Convert would make of it something that draws better.
func (l *Loaded) Convertible() bool { return l.convert != nil }

// Convert makes an asset of the model in the cache, and returns it as it was loaded from there: the same nodes, with their
// geometry on disk. It takes long; it lowers the priority of the thread it runs on.
func (l *Loaded) Convert(ctx context.Context) (*Loaded, error) { return l.convert(ctx) }

// Close ends what was kept open. Nothing may draw the model any more.
func (l *Loaded) Close() {
	l.once.Do(func() {
		if l.close != nil {
			l.close()
		}
	})
}
