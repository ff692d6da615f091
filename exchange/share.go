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

// An account of shares counts what each took in one window. A share that nobody wanted in the window before is lent
// for this one, but for that of verification.
type shareBook struct {
	draws   [shares]bool
	window  int64
	begun   bool
	granted [shares]float64
	wanted  [shares]bool
	idle    [shares]bool
}

// roll begins the window that it is now.
func (b *shareBook) roll(window int64) {
	if b.begun && window <= b.window {
		return
	}
	for i := range b.idle {
		b.idle[i] = b.begun && (window > b.window+1 || !b.wanted[i])
	}
	b.window, b.begun = window, true
	b.granted, b.wanted = [shares]float64{}, [shares]bool{}
}

func (b *shareBook) left(s share, target float64) float64 {
	return max(0, portion(s, b.draws)*target-b.granted[s])
}

// sources returns the shares from which one may take, in order.
func (b *shareBook) sources(s share, cancel bool) (from [shares]share, n int) {
	add := func(x share) {
		for _, have := range from[:n] {
			if have == x {
				return
			}
		}
		from[n] = x
		n++
	}
	add(s)
	if s == shareVerify || s == shareRepair || cancel {
		add(shareRest)
	}
	if cancel {
		add(shareRepair)
		add(shareVerify)
	}
	for x := range share(shares) {
		if b.idle[x] && x != shareVerify {
			add(x)
		}
	}
	return from, n
}

// fits says whether a cost may be taken by a share, when used of target is used by all.
func (b *shareBook) fits(s share, cancel bool, cost, used, target float64) bool {
	if used+cost > target+epsilon && used > 0 {
		return false
	}
	if cancel {
		return true
	}
	if s != shareVerify && used+cost+b.left(shareVerify, target) > target+epsilon && used > 0 {
		return false
	}
	have := 0.0
	from, n := b.sources(s, cancel)
	for _, x := range from[:n] {
		have += b.left(x, target)
	}
	// What is dearer than the whole share goes when the share is untouched: else it could never go.
	return cost <= have+epsilon || b.granted[s] == 0 && cost > portion(s, b.draws)*target
}

// take books a cost, and returns whose part it was.
func (b *shareBook) take(s share, cancel bool, cost, target float64) (parts [shares]float64) {
	from, n := b.sources(s, cancel)
	for _, x := range from[:n] {
		part := min(cost, b.left(x, target))
		parts[x] += part
		cost -= part
	}
	parts[s] += cost
	for x, part := range parts {
		b.granted[x] += part
	}
	return parts
}

// giveBack undoes a take of the window that it is.
func (b *shareBook) giveBack(window int64, parts [shares]float64) {
	if window == b.window {
		for x, part := range parts {
			b.granted[x] = max(0, b.granted[x]-part)
		}
	}
}

// epsilon is what sums of fractions may be off.
const epsilon = 1e-9
