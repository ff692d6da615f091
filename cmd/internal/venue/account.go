package venue

import (
	"maps"
	"slices"

	"github.com/shopspring/decimal"
)

// A balance is what an account has of one asset.
type balance struct{ free, locked decimal.Decimal }

// An account is a participant of the engine. The house, which is the background flow and the collector of fees, may
// owe: its balances go below zero so that everybody's add up to what clients began with.
type account struct {
	number   int // from 1; 0 is the house
	balances map[string]*balance
	assets   []string // sorted; the keys of balances

	open     map[int64]*order     // by id
	openIDs  map[string]int       // open orders by client id
	first    map[string]*order    // the first order of a client id
	orders   map[string][]*order  // by symbol, ascending id
	byClient map[clientKey]*order // the latest order of an id
	trades   map[string][]ownTrade
	reports  []report // what happened, the oldest first
	reported int64
	counts   [2]window // unfilled orders in 10 s and in a day
}

type clientKey struct{ symbol, id string }

func newAccount(number int, balances map[string]decimal.Decimal) *account {
	a := &account{
		number:   number,
		balances: map[string]*balance{},
		open:     map[int64]*order{},
		openIDs:  map[string]int{},
		first:    map[string]*order{},
		orders:   map[string][]*order{},
		byClient: map[clientKey]*order{},
		trades:   map[string][]ownTrade{},
	}
	for asset, amount := range balances {
		a.balances[asset] = &balance{free: amount}
	}
	a.assets = slices.Sorted(maps.Keys(a.balances))
	return a
}

func (a *account) house() bool { return a.number == 0 }

func (a *account) of(asset string) *balance {
	b := a.balances[asset]
	if b == nil {
		b = &balance{}
		a.balances[asset] = b
		i, _ := slices.BinarySearch(a.assets, asset)
		a.assets = slices.Insert(a.assets, i, asset)
	}
	return b
}

// lock sets an amount aside for an order and says whether there was enough.
func (a *account) lock(asset string, amount decimal.Decimal) bool {
	if a.house() {
		return true
	}
	b := a.of(asset)
	if b.free.Cmp(amount) < 0 {
		return false
	}
	b.free, b.locked = b.free.Sub(amount), b.locked.Add(amount)
	return true
}

// unlock gives an amount back that lock set aside.
func (a *account) unlock(asset string, amount decimal.Decimal) {
	if a.house() {
		return
	}
	b := a.of(asset)
	b.free, b.locked = b.free.Add(amount), b.locked.Sub(amount)
}

// pay takes an amount that was locked for an order.
func (a *account) pay(asset string, amount decimal.Decimal) {
	b := a.of(asset)
	if a.house() {
		b.free = b.free.Sub(amount)
		return
	}
	b.locked = b.locked.Sub(amount)
}

func (a *account) receive(asset string, amount decimal.Decimal) {
	b := a.of(asset)
	b.free = b.free.Add(amount)
}

// opened files an order that is open.
func (a *account) opened(o *order) {
	a.open[o.id] = o
	a.openIDs[o.client]++
}

// closed takes an order off the files of open ones.
func (a *account) closed(o *order) {
	if a.open[o.id] == nil {
		return
	}
	delete(a.open, o.id)
	if a.openIDs[o.client]--; a.openIDs[o.client] == 0 {
		delete(a.openIDs, o.client)
	}
}
