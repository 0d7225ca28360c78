package batch

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// toDisk puts files, and what was written to the manifest, onto the disk. One call for the file system costs as much as one for a single file of
// it does, so that a group of a hundred costs no more than one.
func toDisk(m *os.File, files []string) error {
	if len(files) == 0 {
		return m.Sync()
	}
	if err := unix.Syncfs(int(m.Fd())); err != nil {
		return os.NewSyscallError("syncfs", err)
	}
	return nil
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
