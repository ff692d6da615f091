package retryclass

import (
	"errors"

	"github.com/relent-go/relent/retry"
)

var errBusy = errors.New("busy")

var looks = &retry.Policy{Classify: func(err error) retry.Class {
	if errors.Is(err, errBusy) {
		return retry.Transient
	}
	return retry.Ambiguous
}}

var never = &retry.Policy{Classify: func(error) retry.Class { return retry.Permanent }}

func classify(error) retry.Class { return retry.Transient }

var named = &retry.Policy{Classify: classify}

// single is never retried, whatever the class.
var single = &retry.Policy{MaxAttempts: 1, Classify: func(error) retry.Class { return retry.Transient }}
