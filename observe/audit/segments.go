package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Segments reads what a [File] wrote, or writes at this moment, without a lock and without changing anything. It needs
// no more than a copy of the files. It is safe for concurrent use and must not be copied after first use.
//
// The end of a file that somebody writes may be a record which is not on disk yet. What a crash left half-written
// at the very end is passed over: it was never acknowledged. Everything else is returned as it is, for [Verify] to
// judge, and Query stops at what it cannot read.
type Segments struct {
	Dir string

	mu     sync.Mutex
	places map[string]place // where the last reader of a chain stopped; guarded by mu
}

// A place is one in a segment.
type place struct {
	next   uint64 // sequence of the record that begins there
	name   string // of the segment
	offset int64
	begin  int64  // offset of the line before
	sum    uint32 // of that line: it shows whether the file is still the same
	hash   Hash   // of the record before; of no use if known is not set
	known  bool
	line   // the one before, for its batch
}

const (
	suffix      = ".jsonl"
	pointsFile  = "checkpoints" + suffix
	chainsDir   = "chains"
	nameDigits  = 20
	readAll     = math.MaxUint64
	afterHeader = -1 // the offset of a place at the beginning of a segment
	maxPlaces   = 1000
)

func (s *Segments) chainDir(chain string) string { return filepath.Join(s.Dir, chainsDir, chain) }

// segmentName returns the name of the segment that begins with a record.
func segmentName(first uint64) string { return fmt.Sprintf("%0*d%s", nameDigits, first, suffix) }

// names returns those of the segments of a chain, in order.
func (s *Segments) names(chain string) (names []string, err error) {
	if CheckChain(chain) != nil {
		return nil, nil
	}
	entries, err := os.ReadDir(s.chainDir(chain))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if len(e.Name()) == nameDigits+len(suffix) && strings.HasSuffix(e.Name(), suffix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Chains returns the names of all chains, in order, also of those that are damaged beyond recognition.
func (s *Segments) Chains() (chains []string, err error) {
	entries, err := os.ReadDir(filepath.Join(s.Dir, chainsDir))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.ReadDir(s.Dir) // which has no chains yet
	}
	for _, e := range entries {
		if e.IsDir() && CheckChain(e.Name()) == nil {
			chains = append(chains, e.Name())
		}
	}
	return chains, err
}

// scan calls f with the links of a chain whose sequence is from from to to, until f returns false. Links that cannot be read have the
// sequence 0.
func (s *Segments) scan(ctx context.Context, chain string, from, to uint64, f func(Link) bool) error {
	names, err := s.names(chain)
	if err != nil || len(names) == 0 {
		return err
	}
	s.mu.Lock()
	p := s.places[chain]
	s.mu.Unlock()
	if p.next == from && p.fresh(s.chainDir(chain)) {
		i := max(0, slices.Index(names, p.name))
		names = names[i:]
	} else {
		i, _ := slices.BinarySearch(names, segmentName(from+1)) // the first that begins after from
		p, names = place{offset: afterHeader}, names[max(0, i-1):]
	}
	for _, name := range names {
		if name != p.name {
			p = place{next: p.next, name: name, offset: afterHeader, hash: p.hash, known: p.known}
		}
		more, err := s.scanSegment(ctx, chain, &p, from, to, f)
		if err != nil || !more {
			s.keep(chain, p)
			return err
		}
	}
	s.keep(chain, p)
	return nil
}

// fresh says whether the line before p is still what it was. A writer that was started again may have cut off what was never acknowledged,
// and written something else there.
func (p *place) fresh(dir string) bool {
	if p.offset == afterHeader {
		return false // nothing was read of it, so nothing is lost
	}
	file, err := os.Open(filepath.Join(dir, p.name))
	if err != nil {
		return false
	}
	defer file.Close()
	b, size, err := readLine(newReader(io.NewSectionReader(file, p.begin, p.offset-p.begin)))
	return err == nil && size == p.offset-p.begin && crc32.Checksum(b, castagnoli) == p.sum
}

// keep remembers where a reader stopped, so that the next page begins there.
func (s *Segments) keep(chain string, p place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.places == nil || len(s.places) >= maxPlaces {
		s.places = make(map[string]place)
	}
	s.places[chain] = p
}

// scanSegment is scan for one segment, from a place in it. It leaves the place behind the last link that f has seen.
func (s *Segments) scanSegment(ctx context.Context, chain string, p *place, from, to uint64, f func(Link) bool) (more bool, err error) {
	file, err := os.Open(filepath.Join(s.chainDir(chain), p.name))
	if err != nil {
		return false, err
	}
	defer file.Close()
	r := newReader(io.NewSectionReader(file, max(0, p.offset), math.MaxInt64-max(0, p.offset)))
	if p.offset == afterHeader {
		b, size, err := readLine(r)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return true, nil // a segment that was never acknowledged
		}
		if err != nil {
			return false, err
		}
		after, err := parseHeader(b)
		p.offset, p.begin, p.sum = size, 0, crc32.Checksum(b, castagnoli)
		if err != nil || after.Chain != chain || segmentName(after.Sequence+1) != p.name || p.known && (after.Sequence+1 != p.next || after.Hash != p.hash) {
			after = Head{Chain: chain, Sequence: max(p.next, 1) - 1}
			if !f(Link{Chain: chain, Body: bytes.Clone(b)}) {
				return false, nil
			}
		}
		p.next, p.hash, p.known, p.line = after.Sequence+1, after.Hash, true, line{}
	}
	for {
		if err := ctx.Err(); err != nil {
			return false, context.Cause(ctx)
		}
		b, size, err := readLine(r)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		link := Link{Chain: chain, Body: bytes.Clone(b)}
		l, err := parseLine(link.Body)
		if sequence := sequenceOf(l.body); err == nil && l.fits(sequence, p.line) {
			link.Sequence, link.Hash, link.Body = sequence, l.hash, l.body
		}
		if link.Sequence > to {
			return false, nil
		}
		seen := link.Sequence
		if seen == 0 {
			seen = p.next
		}
		goOn := seen < from || f(link)
		p.next, p.hash, p.line = seen+1, link.Hash, line{first: l.first, last: l.last}
		p.begin, p.offset, p.sum = p.offset, p.offset+size, crc32.Checksum(b, castagnoli)
		if !goOn {
			return false, nil
		}
	}
}

// Links is as [Store] has it.
func (s *Segments) Links(ctx context.Context, chain string, from uint64, limit int) ([]Link, error) {
	return s.links(ctx, chain, from, readAll, limit)
}

func (s *Segments) links(ctx context.Context, chain string, from, to uint64, limit int) (links []Link, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	err = s.scan(ctx, chain, max(1, from), to, func(l Link) bool {
		links = append(links, l)
		return len(links) < most(limit)
	})
	return links, err
}

func most(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return limit
}

// Query is as [Store] has it. A record that cannot be read is an error, a [*BadError].
func (s *Segments) Query(ctx context.Context, f Filter, after Cursor, limit int) ([]Record, Cursor, error) {
	return s.query(ctx, f, after, limit, func(string) uint64 { return readAll })
}

func (s *Segments) query(ctx context.Context, f Filter, after Cursor, limit int, to func(chain string) uint64) (found []Record, next Cursor, err error) {
	if err := ctx.Err(); err != nil {
		return nil, after, context.Cause(ctx)
	}
	chains, err := s.Chains()
	if err != nil {
		return nil, after, err
	}
	next = after
	for _, chain := range chains {
		if chain < after.Chain || f.Chain != "" && f.Chain != chain || len(found) == most(limit) {
			continue
		}
		from := uint64(1)
		if chain == after.Chain {
			from = after.Sequence + 1
		}
		var bad error
		err := s.scan(ctx, chain, from, to(chain), func(l Link) bool {
			r, err := ParseRecord(l.Body)
			if err != nil || l.Sequence == 0 {
				bad = &BadError{Chain: chain, Sequence: max(next.Sequence+1, from), Why: "it cannot be read"}
				return false
			}
			if f.Match(&r) {
				found, next = append(found, r), Cursor{chain, l.Sequence}
			}
			return len(found) < most(limit)
		})
		if err = errors.Join(err, bad); err != nil {
			return nil, after, err
		}
	}
	return found, next, nil
}

// Heads is as [Store] has it. Chains whose files are damaged have the last head that can be read.
func (s *Segments) Heads(ctx context.Context) (heads []Head, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	chains, err := s.Chains()
	if err != nil {
		return nil, err
	}
	for _, chain := range chains {
		h := Head{Chain: chain}
		names, err := s.names(chain)
		if len(names) > 0 {
			p := place{name: names[len(names)-1], offset: afterHeader}
			if start, err := s.start(chain, p.name); err == nil {
				h = start
			}
			p.next = h.Sequence + 1
			_, err = s.scanSegment(ctx, chain, &p, 1, readAll, func(l Link) bool {
				if l.Sequence > 0 {
					h.Sequence, h.Hash = l.Sequence, l.Hash
				}
				return true
			})
		}
		if err != nil {
			return nil, err
		}
		if h.Sequence > 0 {
			heads = append(heads, h)
		}
	}
	return heads, nil
}

// Start returns the head after which the oldest segment of a chain goes on: Genesis, unless older ones were removed. It is what
// the segment says, for [Verification.Start].
func (s *Segments) Start(chain string) (Head, error) {
	names, err := s.names(chain)
	if err != nil || len(names) == 0 {
		return Head{Chain: chain}, err
	}
	return s.start(chain, names[0])
}

func (s *Segments) start(chain, name string) (Head, error) {
	file, err := os.Open(filepath.Join(s.chainDir(chain), name))
	if err != nil {
		return Head{Chain: chain}, err
	}
	defer file.Close()
	b, _, err := readLine(newReader(file))
	if err != nil && len(b) == 0 {
		return Head{Chain: chain}, fmt.Errorf("%s of audit chain %s: %w", name, chain, err)
	}
	h, err := parseHeader(b)
	if err != nil || h.Chain != chain {
		return Head{Chain: chain}, fmt.Errorf("%s of audit chain %s: %w", name, chain, errLine)
	}
	return h, nil
}

// Checkpoints is as [Store] has it.
func (s *Segments) Checkpoints(ctx context.Context, chain string, after uint64, limit int) (points []Checkpoint, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	_, err = s.points(func(c Checkpoint) {
		if c.Chain == chain && c.Sequence > after {
			points = append(points, c)
		}
	})
	slices.SortStableFunc(points, bySequence)
	return points[:min(len(points), most(limit))], err
}

// points calls f with all checkpoints, and returns the length of their lines.
func (s *Segments) points(f func(Checkpoint)) (length int64, err error) {
	file, err := os.Open(filepath.Join(s.Dir, pointsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	r := newReader(file)
	for n := 1; ; n++ {
		b, size, err := readLine(r)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return length, nil // the rest was never acknowledged
		}
		var c Checkpoint
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err != nil {
			return length, fmt.Errorf("line %d of %s: %w", n, file.Name(), err)
		}
		length += size
		f(c)
	}
}
