package retrynocap

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"time"
)

func capped(ctx context.Context) error {
	for i := 0; ; i++ {
		err := call()
		if err == nil {
			return nil
		}
		if i == 3 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func ranged() {
	for range 3 {
		if call() == nil {
			return
		}
		if err := call(); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}

func conditions(open func() bool) {
	for open() {
		if err := call(); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
	err := call()
	for i := 0; err != nil && i < 3; i++ {
		time.Sleep(time.Second)
		err = call()
	}
}

func dies() {
	for {
		if err := call(); err == nil {
			return
		}
		time.Sleep(time.Second)
		if time.Now().Year() > 2100 {
			log.Fatal("too late")
		}
	}
}

var errMore = errors.New("more")

// more goes around only for one error, which says that there is more to do.
func more() {
	for {
		err := call()
		if err == nil {
			return
		}
		if errors.Is(err, errMore) {
			continue
		}
		log.Fatal(err)
	}
}

// root goes down a chain: each call is another one.
func root(err error) error {
	for {
		e := errors.Unwrap(err)
		if e == nil {
			break
		}
		err = e
	}
	return err
}

func prompt() string { return "" }

// asks takes another answer each time.
func asks() int {
	for {
		n, err := strconv.Atoi(prompt())
		if err == nil {
			return n
		}
		fmt.Println("a number, please")
	}
}

// once never goes around.
func once() error {
	for {
		err := call()
		if err == nil {
			return nil
		}
		return err
	}
}

// serve goes on after a success, for ever.
func serve() {
	for {
		v, err := fetch("a")
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		work(v)
	}
}
