package render

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
)

// srgb is the colour profile an archived file names as its output intent (ISO 19005-3, 6.2.3), deflated. It is made here, so that no
// profile under somebody else's licence is shipped: an ICC.1:2001-04 display profile with the primaries and the curve of IEC 61966-2-1.
var srgb = sync.OnceValue(func() []byte { return deflated(srgbProfile()) })

func srgbProfile() []byte {
	be := binary.BigEndian
	fixed := func(v float64) []byte { return be.AppendUint32(nil, uint32(int32(math.Round(v*65536)))) }
	xyz := func(x, y, z float64) []byte {
		return slices.Concat([]byte("XYZ \x00\x00\x00\x00"), fixed(x), fixed(y), fixed(z))
	}
	curve := be.AppendUint32([]byte("curv\x00\x00\x00\x00"), 256)
	for i := range 256 {
		v := float64(i) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		curve = be.AppendUint16(curve, uint16(math.Round(v*65535)))
	}
	const name = "sRGB\x00"
	description := slices.Concat([]byte("desc\x00\x00\x00\x00"), be.AppendUint32(nil, uint32(len(name))), []byte(name), make([]byte, 4+4+2+1+67))
	tags := []struct {
		name string
		data []byte // nil: that of the tag before
	}{
		{"desc", description}, {"cprt", []byte("text\x00\x00\x00\x00CC0\x00")}, {"wtpt", xyz(0.9505, 1, 1.0891)},
		{"rXYZ", xyz(0.43607, 0.22249, 0.01392)}, {"gXYZ", xyz(0.38515, 0.71687, 0.09708)}, {"bXYZ", xyz(0.14307, 0.06061, 0.71410)},
		{"rTRC", curve}, {"gTRC", nil}, {"bTRC", nil},
	}
	head := make([]byte, 128)
	be.PutUint32(head[8:], 0x02100000) // version 2.1
	copy(head[12:], "mntrRGB XYZ ")
	for i, v := range []uint16{2026, 1, 1, 0, 0, 0} {
		be.PutUint16(head[24+2*i:], v)
	}
	copy(head[36:], "acsp")
	copy(head[68:], slices.Concat(fixed(0.9642), fixed(1), fixed(0.8249))) // illuminant D50
	table := be.AppendUint32(nil, uint32(len(tags)))
	var data []byte
	at, size := 0, 0
	for _, t := range tags {
		if t.data != nil {
			at, size = len(head)+4+12*len(tags)+len(data), len(t.data)
			data = append(data, t.data...)
			for len(data)%4 != 0 {
				data = append(data, 0)
			}
		}
		table = be.AppendUint32(be.AppendUint32(append(table, t.name...), uint32(at)), uint32(size))
	}
	out := slices.Concat(head, table, data)
	be.PutUint32(out, uint32(len(out)))
	return out
}
