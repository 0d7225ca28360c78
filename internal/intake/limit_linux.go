package intake

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// limitData lets the process have so much more memory of its own than it has now. It is for one huge allocation, which would be there
// before anything that looks at it now and then.
func limitData(more uint64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	for line := range bytes.Lines(status) {
		if words := bytes.Fields(line); len(words) == 3 && string(words[0]) == "VmData:" {
			if now, err := strconv.ParseUint(string(words[1]), 10, 64); err == nil {
				limit := now<<10 + more
				_ = syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: limit, Max: limit}) // without it there is still the watch
			}
		}
	}
}
