// Package observe holds what only listens to calls: observers for package retry.
//
// [Slog] writes the events that a person wants to read to a log.
package observe
