package importer

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// count yields the jobs 0 to n-1.
func count(n int) func() (int, bool, error) {
	i := -1
	return func() (int, bool, error) {
		i++
		return i, i < n, nil
	}
}

func TestOrdered(t *testing.T) {
	var got, want []int
	for i := range 1000 {
		want = append(want, i*i)
	}
	err := Ordered(t.Context(), count(1000), func(i int) (int, error) {
		if i%7 == 0 {
			runtime.Gosched()
		}
		return i * i, nil
	}, func(r int) error {
		got = append(got, r)
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestOrderedEnds(t *testing.T) {
	stop := errors.New("stop")
	square := func(i int) (int, error) { return i * i, nil }
	nothing := func(int) error { return nil }
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context //nolint:containedctx // a case of a test
		next  func() (int, bool, error)
		work  func(int) (int, error)
		merge func(int) error
		want  error
	}{
		"no jobs":          {t.Context(), count(0), square, nothing, nil},
		"error of a job":   {t.Context(), func() (int, bool, error) { return 0, true, stop }, square, nothing, stop},
		"error of work":    {t.Context(), count(1 << 30), func(int) (int, error) { return 0, stop }, nothing, stop},
		"error of merging": {t.Context(), count(1 << 30), square, func(int) error { return stop }, stop},
		"canceled":         {canceled, count(1 << 30), square, nothing, context.Canceled},
	} {
		if err := Ordered(c.ctx, c.next, c.work, c.merge); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
