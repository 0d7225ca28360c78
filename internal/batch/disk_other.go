//go:build !linux

package batch

import (
	"errors"
	"os"
	"syscall"
)

// toDisk puts files, and what was written to the manifest, onto the disk.
func toDisk(m *os.File, files []string) error {
	for _, name := range files {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		err = f.Sync()
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return m.Sync()
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) }
