// Package control lets people see, steer and stop what retries.
package control
