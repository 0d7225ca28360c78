package render

import (
	"encoding/binary"
	"hash/adler32"
	"math/bits"
	"sync"
)

// A document is a handful of small streams that are all alike. A compressor that looks for the best code of each anew spends half of its time on
// that; here the codes are found once, from documents of all forms (see TestCodes), and what is written is an ordinary zlib stream (RFC 1950, 1951)
// in one block. It is some 5 % longer, in less than half the time.

// code is a Huffman code for one kind of stream.
type code struct {
	head     []byte // the block's header, to the bit
	headBits uint
	lit      [286]uint32 // code | bits<<24
	length   [259]uint64 // of a match: code and extra bits | bits<<56
	dist     [30]uint32
}

// kind is what a stream holds.
type kind uint8

const (
	kindPage    kind = iota // what a page draws
	kindObjects             // the objects of the structure and the like
	kindAnswers             // the answers as JSON
	kindXref                // where the objects are
	kindCount
)

var codes = sync.OnceValue(func() (all [kindCount]*code) {
	for k, l := range codeLengths {
		lit, dist := make([]uint8, 286), make([]uint8, 30)
		for i := range lit {
			lit[i] = l[i] - 'a'
		}
		for i := range dist {
			dist[i] = l[286+i] - 'a'
		}
		all[k] = newCode(lit, dist)
	}
	return all
})

var lengthBase, lengthExtra = func() (base [29]int, extra [29]uint) {
	v := 3
	for i := range 28 {
		if i >= 8 {
			extra[i] = uint(i-4) / 4
		}
		base[i] = v
		v += 1 << extra[i]
	}
	base[28] = 258
	return base, extra
}()

var lengthSymbol = func() (s [259]uint8) {
	for i := range 29 {
		for k := range 1 << lengthExtra[i] {
			if lengthBase[i]+k <= 258 {
				s[lengthBase[i]+k] = uint8(i)
			}
		}
	}
	s[258] = 28
	return s
}()

// distanceSymbol is that of a distance less one.
func distanceSymbol(d uint32) uint32 {
	if d < 4 {
		return d
	}
	n := uint32(bits.Len32(d)) - 1
	return 2*n + (d>>(n-1))&1
}

// newCode makes the canonical code of the lengths (RFC 1951, 3.2.2).
func newCode(lit, dist []uint8) *code {
	c := &code{}
	lc, dc := canonical(lit), canonical(dist)
	for i, v := range lc {
		c.lit[i] = v | uint32(lit[i])<<24
	}
	for i, v := range dc {
		c.dist[i] = v | uint32(dist[i])<<24
	}
	for l := 3; l <= 258; l++ {
		s := lengthSymbol[l]
		n := uint64(lit[257+int(s)])
		c.length[l] = uint64(lc[257+int(s)]) | uint64(l-lengthBase[s])<<n | (n+uint64(lengthExtra[s]))<<56
	}
	// The header gives the lengths themselves one by one, each in a fixed code of four or five bits: it is short beside what follows.
	var of [19]uint8
	for i := range 16 {
		of[i] = 4
	}
	all := canonical(of[:])
	put := func(v uint32, n uint) {
		for k := range n {
			if c.headBits%8 == 0 {
				c.head = append(c.head, 0)
			}
			c.head[c.headBits/8] |= byte(v>>k&1) << (c.headBits % 8)
			c.headBits++
		}
	}
	put(1, 1) // the last block
	put(2, 2)
	put(286-257, 5)
	put(30-1, 5)
	put(19-4, 4)
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15} {
		put(uint32(of[i]), 3)
	}
	for _, lengths := range [][]uint8{lit, dist} {
		for _, l := range lengths {
			put(all[l], uint(of[l]))
		}
	}
	return c
}

func canonical(lengths []uint8) []uint32 {
	var count, next [16]int
	for _, l := range lengths {
		count[l]++
	}
	count[0] = 0
	v := 0
	for i := 1; i < 16; i++ {
		v = (v + count[i-1]) << 1
		next[i] = v
	}
	out := make([]uint32, len(lengths))
	for i, l := range lengths {
		if l > 0 {
			out[i] = uint32(bits.Reverse16(uint16(next[l])) >> (16 - l))
			next[l]++
		}
	}
	return out
}

const (
	matchBits = 13
	window    = 32 << 10
)

// matcher finds what was there before: by the hash of four bytes the lower half of the place where they last stood. It fits into the nearest cache.
type matcher [1 << matchBits]uint16

func slot(v uint32) uint32 { return v * 0x9E3779B1 >> (32 - matchBits) }

// find is the place of the four bytes at i before, and remembers i. src[i:] has four bytes. What is told is looked up in src, so nothing that is
// remembered of another place can be taken for it.
func (m *matcher) find(src []byte, i int) (before int, ok bool) {
	v := binary.LittleEndian.Uint32(src[i:])
	h := slot(v)
	back := uint16(i) - m[h]
	m[h] = uint16(i)
	before = i - int(back)
	return before, back-1 < window && before >= 0 && binary.LittleEndian.Uint32(src[before:]) == v
}

// alike is how many bytes a and b have in common at their beginning; b is not longer than a.
func alike(a, b []byte) int {
	n := 0
	for len(b)-n >= 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// bits64 are codes that wait to be written, the first bit lowest. They are handed on by value, so that they stay in registers.
type bits64 struct {
	acc uint64
	has uint
}

// put adds a code. out has room for all of them; n is where its next bytes go.
func (w bits64) put(out []byte, n int, v uint64, k uint) (bits64, int) {
	w.acc |= v << w.has
	if w.has += k; w.has >= 32 {
		binary.LittleEndian.PutUint32(out[n:], uint32(w.acc))
		return bits64{w.acc >> 32, w.has - 32}, n + 4
	}
	return w, n
}

// zlib appends src, compressed, to dst.
func (c *code) zlib(dst []byte, m *matcher, src []byte) []byte {
	dst = append(append(dst, 0x78, 0x01), c.head[:c.headBits/8]...)
	clear(m[:])
	if need := len(dst) + 2*len(src) + 64; cap(dst) < need { // no code is longer than two bytes
		dst = append(make([]byte, 0, need), dst...)
	}
	out, n, w := dst[:cap(dst)], len(dst), bits64{}
	if rest := c.headBits % 8; rest > 0 {
		w, n = w.put(out, n, uint64(c.head[len(c.head)-1]), rest)
	}
	i := 0
	for i+8 <= len(src) {
		before, ok := m.find(src, i)
		if !ok {
			v := c.lit[src[i]]
			w, n = w.put(out, n, uint64(v&0xffffff), uint(v>>24))
			i++
			continue
		}
		size := 4 + alike(src[before+4:], src[i+4:i+min(258, len(src)-i)])
		v := c.length[size]
		w, n = w.put(out, n, v&(1<<56-1), uint(v>>56))
		d := uint32(i-before) - 1
		s := distanceSymbol(d)
		code := c.dist[s]
		w, n = w.put(out, n, uint64(code&0xffffff), uint(code>>24))
		if s >= 4 {
			e := uint(s>>1 - 1)
			w, n = w.put(out, n, uint64(d&(1<<e-1)), e)
		}
		if i+size+8 <= len(src) { // one more place within the match
			p := i + size - 2
			m[slot(binary.LittleEndian.Uint32(src[p:]))] = uint16(p)
		}
		i += size
	}
	for ; i < len(src); i++ {
		v := c.lit[src[i]]
		w, n = w.put(out, n, uint64(v&0xffffff), uint(v>>24))
	}
	end := c.lit[256]
	w, n = w.put(out, n, uint64(end&0xffffff), uint(end>>24))
	for w.has > 0 {
		out[n] = byte(w.acc)
		n++
		w.acc >>= 8
		w.has -= min(8, w.has)
	}
	return binary.BigEndian.AppendUint32(out[:n], adler32.Checksum(src))
}
