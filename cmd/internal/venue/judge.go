package venue

// An Intent is an order a client meant to have, once.
type Intent struct {
	ClientID string
	Accepted bool // the client was told, or concluded, that the venue has it
}

// A Verdict compares intents with the venue. The lists hold client ids; all but Stray are in the order of the intents.
type Verdict struct {
	Once       []string `json:"once"`       // one venue order, filled or not
	Executed   []string `json:"executed"`   // something was executed; these are in Once or Duplicated too
	Duplicated []string `json:"duplicated"` // more than one venue order, or more executed than intended
	Absent     []string `json:"absent"`     // the venue has none and the client does not think so either
	Lost       []string `json:"lost"`       // the client thinks it was accepted, the venue has none
	Orphaned   []string `json:"orphaned"`   // the venue has it, the client does not think so; these are in Once or Duplicated too
	Stray      []string `json:"stray"`      // the venue has it and nobody meant it: a new id per try ends here
}

// Judge compares what a client meant and believes with what the venue has. It is the caller that knows when everything
// has come to rest.
func (o Oracle) Judge(intents []Intent) Verdict {
	var v Verdict
	meant := make(map[string]bool, len(intents))
	for _, in := range intents {
		if meant[in.ClientID] {
			continue
		}
		meant[in.ClientID] = true
		f, ok := o.Orders[in.ClientID]
		switch {
		case !ok && in.Accepted:
			v.Lost = append(v.Lost, in.ClientID)
			continue
		case !ok:
			v.Absent = append(v.Absent, in.ClientID)
			continue
		case f.once():
			v.Once = append(v.Once, in.ClientID)
		default:
			v.Duplicated = append(v.Duplicated, in.ClientID)
		}
		if f.Executed.IsPositive() {
			v.Executed = append(v.Executed, in.ClientID)
		}
		if !in.Accepted {
			v.Orphaned = append(v.Orphaned, in.ClientID)
		}
	}
	for _, id := range o.ids() {
		if !meant[id] {
			v.Stray = append(v.Stray, id)
		}
	}
	return v
}
