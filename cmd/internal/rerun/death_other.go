//go:build unix && !linux

package rerun

import "syscall"

// tieToParent does nothing: only Linux has a parent-death signal that a parent can ask for.
func tieToParent(*syscall.SysProcAttr) {}
