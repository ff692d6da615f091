package retrynocap

import (
	"log"
	"time"
)

func call() error                  { return nil }
func fetch(string) (string, error) { return "", nil }
func work(string)                  {}

func successLeaves() error {
	for { // want `without a cap`
		if err := call(); err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
}

func failureContinues() string {
	for { // want `without a cap`
		v, err := fetch("a")
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		return v
	}
}

func successElse() {
	for { // want `without a cap`
		v, err := fetch("a")
		if err != nil {
			log.Print(err)
		} else {
			work(v)
			break
		}
		time.Sleep(time.Second)
	}
}

func failureIsTheCondition() {
	err := call()
	for err != nil { // want `without a cap`
		time.Sleep(time.Second)
		err = call()
	}
}
