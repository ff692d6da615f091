package sqldb

import (
	"testing"
	"time"

	"github.com/relent-go/relent/work/job"
	"github.com/relent-go/relent/work/job/jobtest"
)

func TestJobs(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		jobtest.Run(t, func(t *testing.T) job.Store { return open(t).Jobs() }, jobtest.Options{
			Pass: func(_ *testing.T, d time.Duration) { time.Sleep(d) }, Lease: 300 * time.Millisecond, Rounds: 100,
		})
	})
}

func want(kind string) job.Want {
	return job.Want{Worker: "w", Kinds: []string{kind}, Max: 1, Lease: time.Hour}
}
