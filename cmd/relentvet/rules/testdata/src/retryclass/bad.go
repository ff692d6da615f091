package retryclass

import (
	"time"

	"github.com/relent-go/relent/retry"
)

var always = &retry.Policy{
	Classify: func(error) retry.Class { return retry.Transient }, // want `every error counts as Transient`
}

func throttled() *retry.Policy {
	return &retry.Policy{
		AttemptTimeout: time.Second,
		Classify:       func(err error) retry.Class { return retry.Throttled }, // want `every error counts as Throttled`
	}
}
