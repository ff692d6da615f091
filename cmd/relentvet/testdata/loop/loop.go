// Package loop has one mistake.
package loop

import "time"

func call() error { return nil }

func Forever() {
	for {
		if err := call(); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}
