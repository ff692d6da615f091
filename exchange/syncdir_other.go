//go:build windows || plan9

package exchange

// syncDir does nothing where directories cannot be synced: there the file system keeps a rename by itself.
func syncDir(string) error { return nil }
