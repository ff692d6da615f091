// Package audit keeps a record of every decision to retry and of every command, that shows when it was tampered with.
package audit
