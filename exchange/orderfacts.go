package exchange

// OrderFacts is what is known of how a venue treats orders. The methods of [Profile] turn it into rules.
type OrderFacts struct {
	ClientID        ClientIDFact `json:"client_id"`
	QueryByClientID QueryFact    `json:"query_by_client_id"`
	Fence           FenceFact    `json:"fence"`
	Verify          VerifyFact   `json:"verify"`
	Resubmit        ResubmitFact `json:"resubmit"`
	AckSemantics    string       `json:"ack_semantics"`
	Cancel          CancelFact   `json:"cancel"`
	Amend           AmendFact    `json:"amend"`
	DeadManSwitch   DeadManFact  `json:"dead_man_switch"`
	Fills           FillsFact    `json:"fills"`
}

// A ClientIDFact is about the id that we give an order.
type ClientIDFact struct {
	Field           string  `json:"field"`
	QueryField      *string `json:"query_field"`
	Required        bool    `json:"required"`
	MaxLen          int     `json:"max_len"`
	Charset         string  `json:"charset"`
	Regex           string  `json:"regex"`
	UniquenessScope string  `json:"uniqueness_scope"`
	Dedupe          Dedupe  `json:"dedupe"`
	DuplicateError  *string `json:"duplicate_error"`
	ReuseAfter      string  `json:"reuse_after"`
	Retention       string  `json:"retention"`
	Fact
	Notes string `json:"notes"`
}

// A QueryFact is about reading an order by our id.
type QueryFact struct {
	Supported       bool     `json:"supported"`
	Endpoints       []string `json:"endpoints"`
	Covers          string   `json:"covers"`
	DataSource      string   `json:"data_source"`
	NotFound        []string `json:"not_found"`
	NotFoundIsProof bool     `json:"not_found_is_proof"` // always false
	HistoryLimits   string   `json:"history_limits"`
	Fact
}

// A FenceFact is about the moment after which the venue does not accept a request any more.
type FenceFact struct {
	Mechanism          string  `json:"mechanism"`
	Param              *string `json:"param"`
	Unit               *string `json:"unit"`
	DefaultMS          *int64  `json:"default_ms"`
	MaxMS              *int64  `json:"max_ms"`
	Clock              *string `json:"clock"`
	Guarantee          string  `json:"guarantee"`
	ResidualMS         *int64  `json:"residual_ms"`
	ResidualReason     string  `json:"residual_reason"`
	UsableAsProofBound bool    `json:"usable_as_proof_bound"`
	Fact
}

// A VerifyFact is how this project reads an order of unknown fate.
type VerifyFact struct {
	FirstWaitMS   int64  `json:"first_wait_ms"`
	Reads         int    `json:"reads"`
	SpacingMS     int64  `json:"spacing_ms"`
	MinTotalMS    int64  `json:"min_total_ms"`
	UseLiveStream bool   `json:"use_live_stream"`
	Rationale     string `json:"rationale"`
	Fact
}

// A ResubmitFact is the rule for a resend with the same id.
type ResubmitFact struct {
	SameID SameID `json:"same_id"`
	Rule   string `json:"rule"`
	Fact
}

// A CancelFact is about taking an order back.
type CancelFact struct {
	Endpoint    string `json:"endpoint"`
	ByClientID  bool   `json:"by_client_id"`
	Idempotent  bool   `json:"idempotent"`
	AlreadyDone string `json:"already_done"`
	Notes       string `json:"notes"`
	Fact
}

// An AmendFact is about changing an order.
type AmendFact struct {
	Endpoint string `json:"endpoint"`
	Notes    string `json:"notes"`
	Fact
}

// A DeadManFact is about orders that the venue cancels when we fall silent.
type DeadManFact struct {
	Supported bool    `json:"supported"`
	Endpoint  *string `json:"endpoint"`
	Notes     string  `json:"notes"`
	Fact
}

// A FillsFact is about reading executions.
type FillsFact struct {
	Endpoint  string `json:"endpoint"`
	By        string `json:"by"`
	DedupeKey string `json:"dedupe_key"`
	Fact
}

// A Dedupe is what a venue does with a client id that it has seen.
type Dedupe string

// The dedupes.
const (
	DedupeAlways     Dedupe = "always"            // refused for ever
	DedupeOpenOnly   Dedupe = "open_only"         // refused while the first order is open
	DedupeReturns    Dedupe = "returns_original"  // answered with the first order
	DedupeDocumented Dedupe = "documented_unique" // documented as unique; for how long is not published
	DedupeNone       Dedupe = "none"              // a second order
	DedupeUnknown    Dedupe = "unknown"
)

var dedupes = []Dedupe{DedupeAlways, DedupeOpenOnly, DedupeReturns, DedupeDocumented, DedupeNone, DedupeUnknown}

// A SameID is what the venue's semantics allow for a resend with the same id.
type SameID string

const (
	sameIdempotent SameID = "safe_idempotent"
	samePermanent  SameID = "safe_dedupe_permanent"
	sameDocumented SameID = "safe_documented_unique"
	sameOpenOnly   SameID = "safe_while_open_only"
	sameNotProven  SameID = "documented_unique_not_proven"
	sameUnproven   SameID = "unsafe_unproven"
	sameNoDedupe   SameID = "unsafe_no_dedupe"
)

var sameIDs = []SameID{sameIdempotent, samePermanent, sameDocumented, sameOpenOnly, sameNotProven, sameUnproven, sameNoDedupe}
