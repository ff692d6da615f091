package profile

// A throttle refuses attempts at the client, with a chance that depends on how many of the last ones were accepted.
type throttle struct{ window }

// What a throttle counts.
const (
	requests = iota
	accepts
	retries
)

// rejection is the chance of being refused now.
func (t *throttle) rejection(k, most float64) float64 {
	return rejection(t.sum[requests], t.sum[accepts], k, most)
}

// rejection is max(0, (requests - K*accepts) / (requests + 1)), but at most most: Google SRE book, "Handling
// Overload", equation 21-1.
func rejection(requests, accepts int64, k, most float64) float64 {
	return min(max(0, (float64(requests)-k*float64(accepts))/float64(requests+1)), most)
}
