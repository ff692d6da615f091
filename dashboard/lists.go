package dashboard

// What the JSON of a View counts by, in the order in which charts and tables show it.
var (
	outcomes = [...]string{
		"success_first_try", "success_after_retry", "exhausted", "not_retryable", "deadline_exceeded",
		"budget_denied", "breaker_denied", "stopped", "cancelled", "unknown_outcome",
	}
	reasons = [...]string{
		"budget", "breaker", "deadline", "not_retryable", "stopped", "unknown_outcome", "limit", "validate", "nested",
	}
)

// topics are what a stream may carry, besides events.
var topics = [...]string{
	"overview", "policies", "trends", "series", "circuits", "budgets", "stops", "venues", "components", "findings", "instances", "learning",
}

const events = "events"
