package rules

// From here on an alert fires. Dashboards draw these lines.
const (
	Amplification     = 1.5  // attempts for each call
	BudgetLeft        = 0.05 // share of the retry budget, below which it is empty
	Openings          = 4    // of one circuit in 10 minutes
	StopHeldSeconds   = 1800 // an emergency stop
	RecoveryRate      = 0.5  // share of the calls that need retries and are rescued, below which they do not help
	FirstTryFailures  = 0.05 // share of calls
	UnknownAgeSeconds = 10   // of an order whose outcome is unknown
	ReconnectsAMinute = 10   // of one venue's streams

	// The rates at which an error budget burns quickly and slowly, after "The Site Reliability Workbook", chapter 5.
	FastBurn = 14.4 // times the rate that would just use up the error budget
	SlowBurn = 6
)

// Budget is the share of calls that may fail, 0 to 1.
func (o Objective) Budget() float64 { return o.budget() }
