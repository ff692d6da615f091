// Package memory holds stores that are not durable: they live in the memory of one process and end with it. They are for
// tests, and for programs that promise nothing across a restart.
//
// A key that was claimed before a crash is new after it, so what ran under it would run again. Where that must not
// be, take a store of store/sqldb.
package memory
