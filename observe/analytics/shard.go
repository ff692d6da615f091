package analytics

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// shard counts the calls of one shard in slots of ten seconds.
type shard struct {
	calls, fails [tens]uint32
}

func (s *subject) shard(name string) *shard {
	name = name[:min(len(name), maxName)]
	if h := s.shards[name]; h != nil {
		return h
	}
	if len(s.shards) >= maxShards-1 {
		if h := s.shards[Other]; h != nil {
			return h
		}
		name = Other
	}
	if s.shards == nil {
		s.shards = map[string]*shard{}
	}
	h := &shard{}
	s.shards[strings.Clone(name)] = h
	return h
}

// badShards looks for shards that carry the failures of the last minute: the worst one, and then without it, three times.
func (e *Engine) badShards(s *subject, at int64) {
	type total struct {
		name string
		c, f float64
	}
	var list []total
	var calls, fails float64
	slot := mod(e.second/10, tens)
	for _, name := range slices.Sorted(maps.Keys(s.shards)) {
		h := s.shards[name]
		t := total{name: name}
		for i := range tens {
			t.c += float64(h.calls[i])
			t.f += float64(h.fails[i])
		}
		next := (slot + 1) % tens
		h.calls[next], h.fails[next] = 0, 0
		if t.c == 0 {
			delete(s.shards, name)
			continue
		}
		list = append(list, t)
		calls, fails = calls+t.c, fails+t.f
	}
	concentration := 0.0
	for _, t := range list {
		concentration += ratio(t.f, fails) * ratio(t.f, fails)
	}
	for range 3 {
		if len(list) < 3 {
			return
		}
		worst, best := 0, 0.0
		for i, t := range list {
			if llr := shardLLR(t.f, t.c, fails, calls); llr > best {
				worst, best = i, llr
			}
		}
		t := list[worst]
		relative := math.Inf(1)
		if fails > t.f {
			relative = (t.f / t.c) / ((fails - t.f) / (calls - t.c))
		}
		if best < 12 || t.f < 10 || relative < 3 || t.f/fails < 0.5 {
			return
		}
		share := t.f / fails
		e.raise(alarm{kind: BadShard, subject: Subject{OfShard, s.name, t.name}, severity: Ticket, started: at - int64(time.Minute), at: at,
			evidence: func() Evidence {
				return Evidence{Statistic: "poisson_llr", Value: best, Threshold: 12, Effect: relative, N: uint64(t.f), Window: time.Minute, Baseline: concentration}
			},
			action: Action{Kind: IsolateShard, Name: t.name},
			text: func() string {
				return fmt.Sprintf("%s carries %s of the failures of %s.", t.name, percent(share), s.name)
			}})
		calls, fails = calls-t.c, fails-t.f
		list = slices.Delete(list, worst, worst+1)
	}
}
