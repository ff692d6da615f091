package adaptive

// retriesSeen is how many retries of a call are told apart; later ones count as the last.
const retriesSeen = 4

// An item is what is known of the k-th retry after one kind of failure, made while the operation is up.
type item struct{ good, bad float32 }

func (i *item) reset() { i.good, i.bad = 1.6, .4 }

// q is the chance that it succeeds while the operation is up.
func (i *item) q() float64 { return float64(i.good) / (float64(i.good) + float64(i.bad)) }

// learn adds the outcome of a retry that was launched at belief b0. A failure counts as far as it was the item's own: this
// is how an item that can never succeed is given up early.
func (i *item) learn(b0 float64, ok bool) {
	w := 1 - b0
	if !ok {
		own := (1 - b0) * (1 - i.q())
		w = own / (own + b0)
	}
	if !(w > .05) {
		return
	}
	i.good, i.bad = .4+.99*(i.good-.4), .1+.99*(i.bad-.1)
	if ok {
		i.good += float32(w)
	} else {
		i.bad += float32(w)
	}
}
