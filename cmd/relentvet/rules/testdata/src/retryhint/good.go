package retryhint

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

func reads(c *http.Client, req *http.Request) (*http.Response, error) {
	for {
		resp, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == http.StatusTooManyRequests {
			resp.Body.Close()
			n, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
			time.Sleep(time.Duration(n) * time.Second)
			continue
		}
		return resp, nil
	}
}

func pause(*http.Response) {}

// handed gives the answer to what may read it.
func handed(c *http.Client, req *http.Request) (*http.Response, error) {
	for {
		resp, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == 429 {
			pause(resp)
			continue
		}
		return resp, nil
	}
}

// gives does not try again.
func gives(c *http.Client, req *http.Request) error {
	for {
		resp, err := c.Do(req)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == 429 {
			return errors.New("too many requests")
		}
	}
}

// counted only tells.
func counted(all []*http.Response) (n int) {
	for i := range all {
		if all[i].StatusCode == 429 {
			n++
		}
	}
	return n
}
