// Package observe holds what only listens to calls: observers for package retry.
//
// [Slog] writes the events that a person wants to read to a log. Below it, package audit keeps every decision in a record
// that cannot be altered unnoticed, and package analytics recognises patterns in the events.
package observe
