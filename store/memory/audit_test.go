package memory_test

import (
	"fmt"
	"testing"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/observe/audit/audittest"
	"github.com/relent-go/relent/store/memory"
)

func TestAudit(t *testing.T) {
	audittest.Run(t, func(*testing.T) audit.Store { return &memory.Audit{} })
	if got := fmt.Sprint(&memory.Audit{}); got != "audit records in memory, not durable" {
		t.Errorf("it calls itself %q", got)
	}
}
