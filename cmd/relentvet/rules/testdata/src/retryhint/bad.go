package retryhint

import (
	"net/http"
	"time"
)

func limited(c *http.Client, req *http.Request) (*http.Response, error) {
	for {
		resp, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == http.StatusTooManyRequests { // want `may say in Retry-After`
			resp.Body.Close()
			time.Sleep(time.Second)
			continue
		}
		return resp, nil
	}
}

func busy(c *http.Client, req *http.Request) (resp *http.Response, err error) {
	for i := range 5 {
		resp, err = c.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == 429 || resp.StatusCode >= 500 { // want `may say in Retry-After`
			resp.Body.Close()
			time.Sleep(time.Second << i)
		} else {
			break
		}
	}
	return resp, nil
}
