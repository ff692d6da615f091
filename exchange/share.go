package exchange

// A share is a part of every limit that is set aside for one purpose.
type share uint8

const (
	shareOrders share = iota // and cancels, which may take from every share
	shareVerify              // reserved: an account that cannot verify may not send
	shareRepair
	shareRest
	shares = 4
)

// portions are the shares of a limit on which all of them draw.
var portions = [shares]float64{shareOrders: 0.4, shareVerify: 0.2, shareRepair: 0.2, shareRest: 0.2}

// shareOf is the share of a kind of request.
func shareOf(k Kind) share {
	switch k {
	case Read, Token:
		return shareRest
	case Verify:
		return shareVerify
	case Repair:
		return shareRepair
	}
	return shareOrders
}

// portion returns what part of a limit is one share's, if only some shares draw on it.
func portion(s share, draws [shares]bool) float64 {
	all := 0.0
	for i, draws := range draws {
		if draws {
			all += portions[i]
		}
	}
	if all == 0 || !draws[s] {
		return 0
	}
	return portions[s] / all
}

// A shareBook counts what each share took in one window. What a share left unused in the window before is lent for this
// one, unless somebody of it had to wait then; that of verification is never lent.
type shareBook struct {
	parts   [shares]float64 // of a target, once begun
	draws   [shares]bool
	window  int64
	begun   bool
	granted [shares]float64 // out of each share, by whomever
	asked   [shares]float64 // and got, by those of each share
	waited  [shares]bool    // somebody found the share used up
	lent    [shares]float64 // out of each share, to others who may not borrow from it
	before  struct {        // in the window before
		known  bool
		asked  [shares]float64
		waited [shares]bool
	}
}

// roll begins the window that it is now.
func (b *shareBook) roll(window int64) {
	if b.begun && window <= b.window {
		return
	}
	if !b.begun {
		for x := range share(shares) {
			b.parts[x] = portion(x, b.draws)
		}
	}
	b.before.known, b.before.asked, b.before.waited = b.begun, b.asked, b.waited
	if window > b.window+1 { // there were windows in which nobody asked
		b.before.asked, b.before.waited = [shares]float64{}, [shares]bool{}
	}
	b.window, b.begun = window, true
	b.granted, b.asked, b.lent, b.waited = [shares]float64{}, [shares]float64{}, [shares]float64{}, [shares]bool{}
}

func (b *shareBook) left(s share, target float64) float64 {
	return max(0, b.parts[s]*target-b.granted[s])
}

// open is how much of share x those of share s may take.
func (b *shareBook) open(x, s share, cancel bool, target float64) float64 {
	left := b.left(x, target)
	switch {
	case x == s, cancel, x == shareRest && (s == shareVerify || s == shareRepair):
		return left
	case x == shareVerify, !b.before.known, b.before.waited[x]:
		return 0
	}
	return min(left, max(0, b.parts[x]*target-kept*b.before.asked[x]-b.lent[x]))
}

// fits says whether a cost may be taken by a share, when used of target is used by all.
func (b *shareBook) fits(s share, cancel bool, cost, used, target float64) bool {
	if cost > b.left(s, target) {
		b.waited[s] = true
	}
	if used+cost > target+epsilon && used > 0 {
		return false
	}
	if cancel {
		return true
	}
	if s != shareVerify && used+cost+b.left(shareVerify, target) > target+epsilon && used > 0 {
		return false
	}
	have := b.left(s, target)
	if cost <= have {
		return true
	}
	have = 0
	for x := range share(shares) {
		have += b.open(x, s, cancel, target)
	}
	// What is dearer than the whole share goes when the share is untouched: else it could never go.
	return cost <= have+epsilon || b.granted[s] == 0 && cost > b.parts[s]*target
}

// take books a cost, and returns whose part it was: first its own share's, then what is borrowed, then what is lent.
func (b *shareBook) take(s share, cancel bool, cost, target float64) (parts [shares]float64) {
	b.asked[s] += cost
	if cost <= b.left(s, target) {
		b.granted[s] += cost
		parts[s] = cost
		return parts
	}
	for _, x := range [...]share{s, shareRest, shareRepair, shareOrders, shareVerify} {
		part := max(0, min(cost, b.open(x, s, cancel, target)-parts[x]))
		parts[x] += part
		cost -= part
	}
	parts[s] += cost
	for x, part := range parts {
		b.granted[x] += part
		if share(x) != s {
			b.lent[x] += part
		}
	}
	return parts
}

// giveBack undoes a take of the window that it is.
func (b *shareBook) giveBack(window int64, s share, cost float64, parts [shares]float64) {
	if window != b.window {
		return
	}
	b.asked[s] = max(0, b.asked[s]-cost)
	for x, part := range parts {
		b.granted[x] = max(0, b.granted[x]-part)
		if share(x) != s {
			b.lent[x] = max(0, b.lent[x]-part)
		}
	}
}

// kept is how much of what a share used it keeps in the next window, so that it may grow without a wait.
const kept = 1.4

// epsilon is what sums of fractions may be off.
const epsilon = 1e-9
