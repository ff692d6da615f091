//go:build windows || plan9

package durable

// SyncDir does nothing where directories cannot be synced: there the file system keeps its names by itself.
func SyncDir(string) error { return nil }
