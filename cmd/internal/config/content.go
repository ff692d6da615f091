package config

// Content is what a file says. Zero fields were not given. The tags are the table of fields: yaml has the name,
// jsonschema the limits, check what the loader alone looks at ("secret": never printed, "env": may name environment
// variables), jsonschema_description what people read in their editor.
type Content struct {
	Version    int              `yaml:"version" jsonschema:"required,minimum=1,maximum=1" jsonschema_description:"of the format: 1"`
	Policies   Named[Policy]    `yaml:"policies" jsonschema_description:"how calls may be attempted, by the name of the operation: venue.verb_object"`
	Budgets    Named[Budget]    `yaml:"budgets" jsonschema_description:"what retries are paid out of, by name; a policy refers to one as budget.NAME"`
	Breakers   Named[Breaker]   `yaml:"breakers" jsonschema_description:"what refuses attempts on a dependency that fails, by name; a policy refers to one as breaker.NAME"`
	Limits     Named[Limit]     `yaml:"limits" jsonschema_description:"bounds of concurrency, rate and number, by name; a policy refers to one as limit.NAME"`
	Halt       *Halt            `yaml:"halt" jsonschema_description:"the emergency stop; a policy refers to it as halt"`
	Components Named[Component] `yaml:"components" jsonschema_description:"what has a health of its own, by name; clock and dns need no definition"`
	Server     *Server          `yaml:"server" jsonschema_description:"of relent serve"`
	Alerts     Named[Alert]     `yaml:"alerts" jsonschema_description:"who relent serve tells of findings, by name"`
	Proxy      *Proxy           `yaml:"proxy" jsonschema_description:"of relent proxy"`
	Adaptive   *Adaptive        `yaml:"adaptive" jsonschema_description:"what is learned about when retries pay"`
	Audit      *Audit           `yaml:"audit" jsonschema_description:"the log of decisions and commands"`
	Venues     Named[Venue]     `yaml:"venues" jsonschema_description:"exchanges, by the name that operations begin with"`
}

// A Policy is the text of a retry.Policy.
type Policy struct {
	MaxAttempts    *Attempts       `yaml:"max_attempts" jsonschema_description:"in all, the first included: 1 or more, or unlimited; default 3"`
	MaxElapsed     Duration        `yaml:"max_elapsed" jsonschema_description:"of the whole call, waits included; default no limit"`
	AttemptTimeout Duration        `yaml:"attempt_timeout" jsonschema_description:"of each attempt; default no limit"`
	Expected       *DurationOrZero `yaml:"expected" jsonschema_description:"of an attempt: a wait that leaves less before the deadline is not begun; default 50ms"`
	Backoff        *Backoff        `yaml:"backoff" jsonschema_description:"how long to wait between attempts; default exponential(100ms, x2, max 30s, full)"`
	MaxHint        *DurationOrZero `yaml:"max_hint" jsonschema_description:"longest wait that the other side may ask for; default 5m; 0s ends the call on any"`
	Idempotent     bool            `yaml:"idempotent" jsonschema_description:"an attempt that may have acted may be made again; default false"`
	Nested         bool            `yaml:"nested" jsonschema_description:"retries even inside an attempt of a call that retries; default false"`
	Priority       string          `yaml:"priority" jsonschema:"enum=critical,enum=normal,enum=sheddable" jsonschema_description:"who is refused first; default normal"`
	Cost           int             `yaml:"cost" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"of one retry in the budget; default 1"`
	Gates          []string        `yaml:"gates" jsonschema_description:"asked in order: halt, breaker.NAME, budget.NAME, limit.NAME"`
	Component      string          `yaml:"component" jsonschema_description:"that it is an operation of"`
	Scope          string          `yaml:"scope" jsonschema_description:"its place in the emergency stop, such as equities/binance/place_order; default the parts of its name"`
	RiskReducing   bool            `yaml:"risk_reducing" jsonschema_description:"can only reduce risk, such as cancelling: passes a stop that asks for no more than that; default false"`
	Adaptive       *Learning       `yaml:"adaptive" jsonschema_description:"has a learner find out when a retry pays; default there is none"`
}

// A Budget is the text of a budget.Budget, or the name of a profile.
type Budget struct {
	Profile    string        `yaml:"profile" jsonschema_description:"a budget of other makers instead, such as grpc or aws-2026"`
	Settings   Named[string] `yaml:"settings" jsonschema_description:"of the profile"`
	Ratio      *float64      `yaml:"ratio" jsonschema:"minimum=0,maximum=1" jsonschema_description:"retries earned by a success; default 0.1"`
	Max        *float64      `yaml:"max" jsonschema:"minimum=0,maximum=1000000000" jsonschema_description:"most retries saved up; default 10"`
	Costs      *Costs        `yaml:"costs" jsonschema_description:"of a retry, in thousandths, by what went wrong"`
	Ceiling    *float64      `yaml:"ceiling" jsonschema:"minimum=0,maximum=1" jsonschema_description:"most retries in flight, as a share of all requests in flight; default 0.2"`
	CeilingMin *int          `yaml:"ceiling_min" jsonschema:"minimum=0,maximum=1000000" jsonschema_description:"retries in flight that the ceiling always allows; default 3"`
	Floors     *Floors       `yaml:"floors" jsonschema_description:"shares that are kept for calls of higher priority"`
	Trickle    float64       `yaml:"trickle" jsonschema:"minimum=0,maximum=1000000" jsonschema_description:"retries per second that nobody need earn, shared by load.clients; default 0"`
	Load       *Load         `yaml:"load" jsonschema_description:"declares the load, so that a budget that is too much for it is found"`
	Health     string        `yaml:"health" jsonschema_description:"a breaker.NAME: while it is suspect, retries come out of a full budget only"`
}

// Costs are those of a retry.
type Costs struct {
	Transient int `yaml:"transient" jsonschema:"minimum=1,maximum=1000000"`
	Ambiguous int `yaml:"ambiguous" jsonschema:"minimum=1,maximum=1000000"`
	Throttled int `yaml:"throttled" jsonschema:"minimum=1,maximum=1000000"`
}

// Floors are shares of a budget.
type Floors struct {
	Normal    Percent `yaml:"normal"`
	Sheddable Percent `yaml:"sheddable"`
}

// A Load is what the other side must bear.
type Load struct {
	Offered  float64 `yaml:"offered" jsonschema:"minimum=0,maximum=1000000000" jsonschema_description:"first attempts per second, of all clients together"`
	Capacity float64 `yaml:"capacity" jsonschema:"minimum=0,maximum=1000000000" jsonschema_description:"attempts per second that the other side can serve"`
	Clients  int     `yaml:"clients" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"processes, each with budgets of its own; default 1"`
}

// A Breaker is the text of breaker.Rules, or the name of a profile.
type Breaker struct {
	Profile     string   `yaml:"profile" jsonschema_description:"a breaker of other makers instead, such as hystrix or gobreaker"`
	Window      Duration `yaml:"window" jsonschema_description:"of the statistics, 100ms to 1h; default 10s"`
	Calls       int      `yaml:"calls" jsonschema:"minimum=1,maximum=100000" jsonschema_description:"the last so many calls instead of window"`
	MinSamples  int      `yaml:"min_samples" jsonschema:"minimum=1,maximum=100000" jsonschema_description:"needed in the window to open; default 20"`
	FailureRate Percent  `yaml:"failure_rate" jsonschema_description:"above which it opens; default 50%"`
	SlowAfter   Duration `yaml:"slow_after" jsonschema_description:"a success slower than this is slow; default none is"`
	Classic     bool     `yaml:"classic" jsonschema_description:"opens by rates over the window alone; default false"`
	SlowRate    Percent  `yaml:"slow_rate" jsonschema_description:"share of slow successes at which a classic one opens"`
	Healthy     Percent  `yaml:"healthy" jsonschema_description:"error rate that is normal; default 1%"`
	Failing     Percent  `yaml:"failing" jsonschema_description:"error rate that is to be found quickly; default 10%"`
	Latency     bool     `yaml:"latency" jsonschema_description:"suspect when latency rises, too; default false"`
	OpenFor     Duration `yaml:"open_for" jsonschema_description:"before the first probe; default 5s"`
	MaxOpenFor  Duration `yaml:"max_open_for" jsonschema_description:"after failed rounds of probes; default 60s"`
	Probes      int      `yaml:"probes" jsonschema:"minimum=1,maximum=1024" jsonschema_description:"permits at which one success more closes; default 8"`
	Quorum      int      `yaml:"quorum" jsonschema:"minimum=1,maximum=256" jsonschema_description:"processes that must see failure for their evidence to count here; default it never does"`
	QuorumOpen  bool     `yaml:"quorum_open" jsonschema_description:"such a quorum opens; default it throttles at most"`
	Readiness   string   `yaml:"readiness" jsonschema:"enum=advisory,enum=critical" jsonschema_description:"critical: while open, the process is not ready; default advisory"`
}

// A Limit is one of five: its kind is the one of concurrency, rate, retries and attempts_per_parent that is given;
// retries with per are those of a stretch of time.
type Limit struct {
	Concurrency       int             `yaml:"concurrency" jsonschema:"oneof_required=concurrency,minimum=1,maximum=1000000" jsonschema_description:"attempts that run at one time"`
	Rate              int             `yaml:"rate" jsonschema:"oneof_required=rate,minimum=1,maximum=1000000000" jsonschema_description:"attempts per time"`
	Retries           *int            `yaml:"retries" jsonschema:"oneof_required=retries,minimum=0,maximum=1000000" jsonschema_description:"retries under way at one time, or with per, in any stretch of that time"`
	AttemptsPerParent *int            `yaml:"attempts_per_parent" jsonschema:"oneof_required=attempts_per_parent,minimum=0,maximum=1000000" jsonschema_description:"attempts for one business object over its life"`
	Per               Duration        `yaml:"per" jsonschema_description:"of a rate, default 1s, or of retries"`
	Burst             int             `yaml:"burst" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"of a rate: attempts at once after a quiet time; default 1"`
	MaxWait           *DurationOrZero `yaml:"max_wait" jsonschema_description:"of concurrency and rate: for a place; default none, refused at once"`
	MaxWaiters        *int            `yaml:"max_waiters" jsonschema:"minimum=0,maximum=1000000" jsonschema_description:"of concurrency and rate; default 1024"`
	Loose             bool            `yaml:"loose" jsonschema_description:"of attempts_per_parent: calls without a parent pass uncounted; default they are refused"`
}

// Halt is the text of a halt.Tree.
type Halt struct {
	StateFile   string       `yaml:"state_file" check:"env" jsonschema_description:"holds the stops across restarts; default in memory only"`
	TriggerFile string       `yaml:"trigger_file" check:"env" jsonschema_description:"a file whose presence stops"`
	Approvers   []string     `yaml:"approvers" jsonschema_description:"who may approve that a stop ends; default anyone but who asks and who stopped"`
	Designated  []string     `yaml:"designated" jsonschema_description:"who may approve that a trip ends; default the approvers"`
	RampStep    Duration     `yaml:"ramp_step" jsonschema_description:"of each share after a release; default 30s"`
	RampBurst   int          `yaml:"ramp_burst" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"failures in a row that begin a step anew; default 5"`
	Lease       Duration     `yaml:"lease" jsonschema_description:"without a heartbeat for so long, the control plane is lost; default there is none"`
	Lost        *Lost        `yaml:"lost" jsonschema_description:"what scopes are while it is"`
	Scopes      Named[Scope] `yaml:"scopes" check:"scope" jsonschema_description:"by path, such as equities/binance"`
}

// Lost is the text of a halt.Lost.
type Lost struct {
	Orders string `yaml:"orders" jsonschema:"enum=risk-reducing,enum=drain,enum=stopped" jsonschema_description:"default risk-reducing"`
	Other  string `yaml:"other" jsonschema:"enum=no-retries,enum=risk-reducing,enum=drain,enum=stopped" jsonschema_description:"default no-retries"`
	Reads  string `yaml:"reads" jsonschema:"enum=running,enum=no-retries,enum=risk-reducing,enum=drain,enum=stopped" jsonschema_description:"default running"`
}

// A Scope says what is at one place of the emergency stop, and below it.
type Scope struct {
	Kind       string   `yaml:"kind" jsonschema:"enum=orders,enum=other,enum=reads" jsonschema_description:"what it is when its operators cannot be heard"`
	Attempts   int      `yaml:"attempts" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"for one parent order; default 16 once any limit is given"`
	Messages   int      `yaml:"messages" jsonschema:"minimum=1,maximum=100000" jsonschema_description:"begun in any second; default no limit"`
	Heal       Duration `yaml:"heal" jsonschema_description:"after which a trip of messages ends by itself; default never"`
	Executions int      `yaml:"executions" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"automated ones without a person in between; default no limit"`
	Duplicates int      `yaml:"duplicates" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"acknowledged by a venue; default 1 once any limit is given"`
	Skew       bool     `yaml:"skew" jsonschema_description:"stop, too, when nodes run different versions"`
	State      string   `yaml:"state" jsonschema:"enum=no-retries,enum=risk-reducing,enum=drain,enum=stopped" jsonschema_description:"that a limit puts in force; default risk-reducing"`
}

// A Component has a health of its own.
type Component struct {
	Critical  bool     `yaml:"critical" jsonschema_description:"its failure fails readiness; default false"`
	DependsOn []string `yaml:"depends_on" jsonschema_description:"other components"`
	Timeout   Duration `yaml:"timeout" jsonschema_description:"of its check, at most 10s; default 2s"`
	Interval  Duration `yaml:"interval" jsonschema_description:"how old an answer may be; default 5s"`
}

// A Server is what relent serve listens on and keeps its state in.
type Server struct {
	Listen   string          `yaml:"listen" jsonschema_description:"address and port; default 127.0.0.1:8470"`
	Store    string          `yaml:"store" check:"secret,env" jsonschema_description:"sqlite:FILE or postgres://...; ${NAME} stands for an environment variable"`
	Hosts    []string        `yaml:"hosts" jsonschema_description:"names under which browsers may reach it, beside the loopback ones"`
	ReadOnly bool            `yaml:"read_only" jsonschema_description:"no command is taken; default false"`
	Drain    *DurationOrZero `yaml:"drain" jsonschema_description:"from TERM to the end of listening; default 5s"`
}

// Audit says where decisions are written down.
type Audit struct {
	Dir         string `yaml:"dir" jsonschema:"required" jsonschema_description:"of its files"`
	SegmentSize Bytes  `yaml:"segment_size" jsonschema_description:"after which a new file begins; default 64MiB"`
}

// A Venue is an exchange.
type Venue struct {
	Profile string        `yaml:"profile" jsonschema_description:"the name of the facts about it; default its own"`
	Tested  Named[string] `yaml:"tested" check:"fact" jsonschema_description:"facts that count as tested, each with the reason why"`
}
