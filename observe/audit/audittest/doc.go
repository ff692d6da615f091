// Package audittest checks that an audit.Store keeps what the interface promises.
package audittest
