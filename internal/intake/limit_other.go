//go:build !linux

package intake

// limitData does nothing where such a limit is not simple to set; the watch and the parser's own limits remain.
func limitData(uint64) {}
