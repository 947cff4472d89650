package asset

// RootPages lists the pages with the coarsest level of everything, which the first picture needs. They lie together in the
// file.
func (f *File) RootPages() []int {
	var roots []int
	for i, p := range f.places {
		if p.level == rootLevel {
			roots = append(roots, i)
		}
	}
	return roots
}

// PageRange says where a page is in the source.
func (f *File) PageRange(i int) (offset, length int64) {
	return f.places[i].offset, int64(f.places[i].stored)
}
