package jobtest

import (
	"testing"

	"github.com/relent-go/relent/work/job"
)

func TestModel(t *testing.T) {
	Run(t, func(*testing.T) job.Store { return &Model{} }, Options{})
}
