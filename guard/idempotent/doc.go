// Package idempotent lets a function have at most one effect per key.
package idempotent
