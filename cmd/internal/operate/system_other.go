//go:build !linux

package operate

// synchronized says nothing: only Linux is asked.
func synchronized() (known, yes bool) { return false, false }

// remote says nothing either.
func remote(string) bool { return false }
