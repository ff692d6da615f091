package retryleak

import (
	"errors"
	"net/http"
	"time"
)

func closes(c *http.Client, req *http.Request) (*http.Response, error) {
	for range 3 {
		resp, err := c.Do(req)
		if err == nil && resp.StatusCode < 500 {
			return resp, nil
		}
		if err == nil {
			resp.Body.Close()
		}
		time.Sleep(time.Second)
	}
	return nil, errors.New("no answer")
}

func done(*http.Response) {}

// handed gives the answer to what may close it.
func handed(c *http.Client, req *http.Request) bool {
	for range 3 {
		resp, err := c.Do(req)
		if err != nil {
			continue
		}
		done(resp)
		if resp.StatusCode == 200 {
			return true
		}
	}
	return false
}

// last keeps the answer for the caller, who closes it.
func last(c *http.Client, req *http.Request) (kept *http.Response) {
	for range 3 {
		resp, err := c.Do(req)
		if err != nil {
			continue
		}
		kept = resp
		if resp.StatusCode == 200 {
			break
		}
	}
	return kept
}

// once never asks again.
func once(c *http.Client, req *http.Request) (*http.Response, error) {
	for {
		resp, err := c.Do(req)
		if err == nil && resp.StatusCode != 200 {
			err = errors.New(resp.Status)
		}
		return resp, err
	}
}
