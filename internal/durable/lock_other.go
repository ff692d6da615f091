//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package durable

import (
	"errors"
	"os"
)

func lock(name string) (*os.File, error) { return nil, lockError(name, errors.ErrUnsupported, nil) }
