//go:build unix && !linux

package rerun

import "golang.org/x/sys/unix"

// groupGone says whether no process of group is left, zombies included.
func groupGone(group int) bool { return unix.Kill(-group, 0) == unix.ESRCH }
