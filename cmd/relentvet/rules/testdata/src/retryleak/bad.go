package retryleak

import (
	"errors"
	"net/http"
	"time"
)

func status(c *http.Client, req *http.Request) (*http.Response, error) {
	for range 3 {
		resp, err := c.Do(req) // want `left open`
		if err == nil && resp.StatusCode < 500 {
			return resp, nil
		}
		time.Sleep(time.Second)
	}
	return nil, errors.New("no answer")
}

func up() {
	for {
		resp, err := http.Get("http://venue/health") // want `left open`
		if err != nil {
			continue
		}
		if resp.StatusCode == 200 {
			return
		}
		time.Sleep(time.Second)
	}
}
