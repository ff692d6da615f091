package exchange

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// Bans remember by which venues this process, or another one behind its IP, is banned. All [Transport]s of a process should
// share one, and so should whoever opens WebSocket connections, by way of [Bans.Check].
//
// With a Store bans outlive the process and are shared: they are read before the first request, and again at most every
// 250 ms. A store that cannot be read at first lets nothing through. The zero value has none, and a restart forgets. It is
// safe for concurrent use, and must not be copied once used.
type Bans struct {
	Store   BanStore
	OnAlert func(Alert) // told of bans, and of a store that fails; nil: nobody. It must not block

	some    atomic.Bool // there are bans, or were; set with mu held
	loading sync.Mutex
	mu      sync.Mutex
	loaded  bool
	checked time.Time
	bans    map[banKey]*banned
}

type banKey struct{ venue, account string }

// A banned is one ban, and how it is being left.
type banned struct {
	Ban
	lifted bool // a read succeeded since
	probe  bool // that read is under way
}

const (
	reload   = 250 * time.Millisecond
	mostBan  = 3 * 24 * time.Hour
	inARow   = 24 * time.Hour
	saveTime = 5 * time.Second
)

// Check returns a *[BanError] if a venue wants nothing of an account, or of this IP. It is for connections that no Transport
// makes; it sends nothing, and reports no ban that has ended.
func (b *Bans) Check(ctx context.Context, venue, account string) error {
	if err := b.refresh(ctx, time.Now()); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.inForce(venue, account)
}

// inForce returns a ban that has not ended. b.mu is held.
func (b *Bans) inForce(venue, account string) error {
	if len(b.bans) == 0 {
		return nil
	}
	now := time.Now()
	for _, key := range [...]banKey{{venue, ""}, {venue, account}} {
		if ban := b.bans[key]; ban != nil && ban.Until.After(now) {
			return &BanError{Ban: ban.Ban, After: ban.Until.Sub(now)}
		}
	}
	return nil
}

// A pass is what let a request through.
type pass struct {
	probes [2]*banned // bans that it is the first read after
}

// enter returns an error for a request that must not be sent. A read after a ban is let through alone; leave ends it.
func (b *Bans) enter(ctx context.Context, venue, account string, kind Kind) (p pass, err error) {
	if b.Store == nil && !b.some.Load() {
		return p, nil
	}
	now := time.Now()
	if err := b.refresh(ctx, now); err != nil {
		return p, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.bans) == 0 {
		return p, nil
	}
	for i, key := range [...]banKey{{venue, ""}, {venue, account}} {
		ban := b.bans[key]
		switch {
		case ban == nil || ban.lifted:
		case ban.Until.After(now):
			p.drop()
			return p, &BanError{Ban: ban.Ban, After: ban.Until.Sub(now)}
		case kind.Guarded() || ban.probe && p.probes[0] != ban:
			p.drop()
			return p, &BanError{Ban: ban.Ban, After: time.Second, Returning: true}
		default:
			ban.probe, p.probes[i] = true, ban
		}
	}
	return p, nil
}

func (p *pass) drop() {
	for _, ban := range p.probes {
		if ban != nil {
			ban.probe = false
		}
	}
}

// again says whether a ban has come since the request was let through.
func (b *Bans) again(venue, account string) error {
	if !b.some.Load() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.inForce(venue, account)
}

// leave ends what enter let through. It is true if traffic may come back after a ban: the answer was none of a ban.
func (b *Bans) leave(p *pass, good bool) bool {
	if p.probes == [2]*banned{} {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	back := false
	for _, ban := range p.probes {
		if ban == nil {
			continue
		}
		ban.probe = false
		if good && !ban.Until.After(time.Now()) {
			ban.lifted, back = true, true
		}
	}
	return back
}

// put notes a ban and makes it durable. least is how long it lasts at least by the facts, told what the answer said.
func (b *Bans) put(ctx context.Context, ban Ban, least, told time.Duration) {
	now := time.Now()
	key := banKey{ban.Venue, ban.Account}
	b.mu.Lock()
	if b.bans == nil {
		b.bans = make(map[banKey]*banned)
	}
	before := b.bans[key]
	ban.First, ban.Count = now, 1
	if before != nil && now.Sub(before.Until) < inARow {
		ban.First, ban.Count = before.First, before.Count
		if !before.Until.After(now) { // else it is the same one, seen by another request
			ban.Count++
		}
	}
	for range min(ban.Count-1, 16) {
		least = min(2*least, mostBan)
	}
	jitter := time.Second + time.Duration(rand.Int64N(int64(4*time.Second)))
	ban.Until = now.Add(max(least, min(told, maxWait)) + jitter)
	if before != nil {
		ban = Merge(before.Ban, ban)
	}
	b.bans[key] = &banned{Ban: ban}
	b.some.Store(true)
	b.mu.Unlock()

	b.alert(Alert{ban.Venue, "banned", fmt.Sprintf("until %s by %s: %s", ban.Until.Format(time.RFC3339), ban.Host, ban.Signal)})
	if b.Store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	if err := b.Store.Save(ctx, ban); err != nil {
		b.alert(Alert{ban.Venue, "ban_store", "a ban is not durable, and other processes do not know of it: " + err.Error()})
	}
}

func (b *Bans) alert(a Alert) {
	if b.OnAlert != nil {
		b.OnAlert(a)
	}
}

// refresh reads the store, if that was not done lately.
func (b *Bans) refresh(ctx context.Context, now time.Time) error {
	if b.Store == nil {
		return nil
	}
	b.mu.Lock()
	fresh, loaded := now.Sub(b.checked) < reload && b.loaded, b.loaded
	b.mu.Unlock()
	if fresh {
		return nil
	}
	if !loaded {
		b.loading.Lock()
	} else if !b.loading.TryLock() {
		return nil // somebody is at it
	}
	defer b.loading.Unlock()
	list, err := b.Store.Load(ctx)
	b.mu.Lock()
	b.checked = now
	if err != nil {
		loaded = b.loaded
		b.mu.Unlock()
		if loaded {
			b.alert(Alert{"", "ban_store", "cannot read bans of other processes: " + err.Error()})
			return nil
		}
		return retry.Mark(fmt.Errorf("exchange: bans cannot be read, so nothing is sent: %w", err), retry.Transient)
	}
	defer b.mu.Unlock()
	if b.bans == nil {
		b.bans = make(map[banKey]*banned)
	}
	for _, ban := range list {
		ban.Until = now.Add(ban.Until.Sub(now)) // by the monotonic clock from here on
		key := banKey{ban.Venue, ban.Account}
		have := b.bans[key]
		if have == nil {
			b.bans[key] = &banned{Ban: ban, lifted: now.Sub(ban.Until) > time.Minute}
		} else if ban.Until.Sub(have.Until) > time.Second { // of another process
			b.bans[key] = &banned{Ban: Merge(have.Ban, ban)}
		}
	}
	b.loaded = true
	b.some.Store(len(b.bans) > 0)
	return nil
}

// List returns the bans that are in force, the latest end first.
func (b *Bans) List() []Ban {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	var list []Ban
	for ban := range maps.Values(b.bans) {
		if ban.Until.After(now) {
			list = append(list, ban.Ban)
		}
	}
	slices.SortFunc(list, func(x, y Ban) int {
		if c := y.Until.Compare(x.Until); c != 0 {
			return c
		}
		return strings.Compare(x.Venue+"\x00"+x.Account, y.Venue+"\x00"+y.Account)
	})
	return list
}

// Until returns when the last ban by a venue ends; the zero time if there is none.
func (b *Bans) Until(venue string) time.Time {
	for _, ban := range b.List() {
		if ban.Venue == venue {
			return ban.Until
		}
	}
	return time.Time{}
}
