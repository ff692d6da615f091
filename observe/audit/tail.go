package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/relent-go/relent/retry"
)

// A tail is the end of one chain of a File, where records are appended.
type tail struct {
	of *File

	mu     sync.Mutex
	loaded bool     // guarded by mu, as all that follows
	failed error    // why nothing can be appended before the store is opened anew
	head   Head     // of what is durable
	name   string   // of the last segment; empty if there is none
	file   handle   // the last segment; nil until it is written
	size   int64    // of what is durable in it
	dirty  bool     // there may be more in the file than that
	ids    [2]idSet // of the records before the last generation, and of the last one
}

// An idSet is a set of ids, by the first half of their digests.
type idSet map[[16]byte]struct{}

func idKey(escaped []byte) (key [16]byte) {
	sum := sha256.Sum256(escaped)
	copy(key[:], sum[:])
	return key
}

// knows says whether a record with an id is there.
func (t *tail) knows(key [16]byte) bool {
	_, old := t.ids[0][key]
	_, young := t.ids[1][key]
	return old || young
}

// remember adds an id. Of two generations, the older one is forgotten when the younger one has as many as must be remembered.
func (t *tail) remember(key [16]byte) {
	if len(t.ids[1]) >= MinRemembered || t.ids[1] == nil {
		t.ids[0], t.ids[1] = t.ids[1], make(idSet)
	}
	t.ids[1][key] = struct{}{}
}

// load finds the head of the chain, and puts aside what a crash left half-written behind it. It does so once.
func (t *tail) load() error {
	if t.loaded || t.failed != nil {
		return t.failed
	}
	names, err := t.of.segments.names(t.head.Chain)
	if err != nil {
		return retry.Mark(err, retry.Transient)
	}
	t.ids, t.name = [2]idSet{}, ""
	t.head = Head{Chain: t.head.Chain}
	for len(names) > 0 && t.name == "" {
		last := names[len(names)-1]
		if err := t.loadSegment(last, len(names) == 1); err != nil {
			t.ids = [2]idSet{}
			return err
		}
		names = names[:len(names)-1]
		if t.size == 0 {
			t.name = "" // nothing in it was acknowledged, so it is not there any more
		}
	}
	for i := len(names) - 1; i >= 0 && len(t.ids[1]) < MinRemembered; i-- {
		if err := t.loadIDs(names[i]); err != nil {
			t.ids = [2]idSet{}
			return err
		}
	}
	t.loaded = true
	return nil
}

// loadIDs adds the ids of a segment.
func (t *tail) loadIDs(name string) error {
	file, err := os.Open(filepath.Join(t.of.segments.chainDir(t.head.Chain), name))
	if err != nil {
		return retry.Mark(err, retry.Transient)
	}
	defer file.Close()
	for r := newReader(file); ; {
		b, _, err := readLine(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return retry.Mark(err, retry.Transient)
		}
		if l, err := parseLine(b); err == nil {
			t.ids[1][idKey(idOf(l.body))] = struct{}{}
		}
	}
}

// loadSegment reads the last segment, which may be the oldest, too, up to the end of its last whole batch.
func (t *tail) loadSegment(name string, oldest bool) error {
	path := filepath.Join(t.of.segments.chainDir(t.head.Chain), name)
	file, err := os.Open(path)
	if err != nil {
		return retry.Mark(err, retry.Transient)
	}
	defer file.Close()
	s := scanner{first: firstOf(name)}
	if err := s.scan(newReader(file), t.head.Chain); err != nil {
		return retry.Mark(err, retry.Transient)
	}
	if s.damaged || s.headless && oldest && s.first > 1 { // without its first line, nobody knows what it goes on from
		t.failed = retry.Mark(fmt.Errorf("%w: %w", ErrFileDamaged, &BadError{Chain: t.head.Chain, Sequence: s.bad, Why: "it is damaged, and what was acknowledged later follows it"}), retry.Permanent)
		return t.failed
	}
	t.name, t.head, t.size = name, s.head, s.size
	for _, key := range s.ids {
		t.remember(key)
	}
	if s.rest > 0 || s.size == 0 {
		first := s.head.Sequence + 1
		if s.headless {
			first = s.first
		}
		return t.putAside(path, file, s.rest, first)
	}
	return nil
}

// firstOf returns the sequence of the first record of a segment, from its name.
func firstOf(name string) uint64 {
	first, _ := strconv.ParseUint(name[:nameDigits], 10, 64) // 0 for a name that is not ours
	return first
}

// putAside moves what follows the last whole batch of a segment to a file of its own.
func (t *tail) putAside(path string, from *os.File, rest int64, first uint64) error {
	aside := fmt.Sprintf("%s.torn-%d", path, t.size)
	content := make([]byte, rest)
	_, err := from.ReadAt(content, t.size)
	if err == nil || err == io.EOF {
		err = os.WriteFile(aside, content, 0o600)
	}
	if err == nil && t.size == 0 {
		err = os.Remove(path)
	} else if err == nil {
		err = os.Truncate(path, t.size)
	}
	if err != nil {
		return retry.Mark(fmt.Errorf("put aside what a crash left half-written: %w", err), retry.Transient)
	}
	t.dirty = true // the truncation is not synced
	t.of.repairs.add(Repair{t.head.Chain, first, rest, aside})
	return nil
}

// A scanner reads a segment up to the end of its last whole batch.
type scanner struct {
	first uint64 // sequence of the first record, as the name of the segment says

	head     Head // of that batch
	size     int64
	rest     int64 // bytes after it
	ids      [][16]byte
	headless bool   // there is no first line that fits
	damaged  bool   // what is bad is before a later batch, so that it was acknowledged
	bad      uint64 // sequence of the first bad record
}

func (s *scanner) scan(r io.Reader, chain string) error {
	lines := newReader(r)
	b, size, err := readLine(lines)
	offset := size
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	h := Head{Chain: chain}
	after, err := parseHeader(b)
	sound := err == nil && after.Chain == chain && after.Sequence+1 == s.first
	if s.headless = !sound; sound {
		h = after
	}
	s.head, s.bad = h, s.first
	var ids [][16]byte // of the batch that is being read
	for {
		b, size, err := readLine(lines)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			s.rest = offset + size - s.size
			return nil
		}
		if err != nil {
			return err
		}
		offset += size
		l, err := parseLine(b)
		if !sound || err != nil || sequenceOf(l.body) != h.Sequence+1 || Next(h.Hash, l.body) != l.hash || l.last <= h.Sequence {
			if sound {
				sound, s.bad = false, h.Sequence+1
			}
			if err == nil && l.first > s.bad {
				s.damaged = true
			}
			continue
		}
		h.Sequence, h.Hash = h.Sequence+1, l.hash
		ids = append(ids, idKey(idOf(l.body)))
		if l.last == h.Sequence {
			s.head, s.size, s.ids, ids = h, offset, append(s.ids, ids...), nil
		}
	}
}

// append adds records to the chain.
func (t *tail) append(records []Record) error {
	fresh := make([]Record, 0, len(records))
	keys := make([][16]byte, 0, len(records))
	batch := make(idSet, len(records))
	for i := range records {
		escaped := appendString(nil, records[i].ID)
		key := idKey(escaped[1 : len(escaped)-1])
		if _, twice := batch[key]; twice || t.knows(key) {
			continue
		}
		batch[key] = struct{}{}
		fresh, keys = append(fresh, records[i]), append(keys, key)
	}
	links, head, err := Extend(t.head, fresh)
	if err != nil || len(links) == 0 {
		return err
	}
	if err := t.write(links, head); err != nil {
		return err
	}
	t.head = head
	for _, key := range keys {
		t.remember(key)
	}
	return nil
}

// write makes links durable.
func (t *tail) write(links []Link, head Head) error {
	name, size, begin := t.name, t.size, t.name == "" || t.size >= t.of.segmentBytes
	var text []byte
	if begin {
		name, size = segmentName(t.head.Sequence+1), 0
		text = appendHeader(text, t.head)
	}
	for i := range links {
		text = appendLine(text, &links[i], links[0].Sequence, head.Sequence)
	}
	if err := t.reach(name, begin, size); err != nil {
		return retry.Mark(err, retry.Transient) // nothing of it was written
	}
	t.dirty = true
	if _, err := t.file.WriteAt(text, size); err != nil {
		return err
	}
	if err := t.file.Sync(); err != nil {
		return err
	}
	if begin {
		if err := t.of.syncDir(t.of.segments.chainDir(t.head.Chain)); err != nil {
			return err
		}
	}
	t.dirty, t.name, t.size = false, name, size+int64(len(text))
	return nil
}

// reach makes the segment ready to be written at its end. What an append that failed left there is cut off, and that is
// synced: otherwise a crash could bring it back behind what is written now.
func (t *tail) reach(name string, begin bool, size int64) error {
	dir := t.of.segments.chainDir(t.head.Chain)
	if begin {
		if err := errors.Join(makeDir(dir, t.of.syncDir), t.shut()); err != nil {
			return err
		}
	}
	if t.file == nil {
		file, err := t.of.open(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE)
		if err != nil {
			return err
		}
		t.file = file
		t.dirty = t.dirty || begin
	}
	if !t.dirty {
		return nil
	}
	if err := errors.Join(t.file.Truncate(size), t.file.Sync()); err != nil {
		return err
	}
	t.dirty = false
	return nil
}

// shut lets go of the segment that is open.
func (t *tail) shut() error {
	if t.file == nil {
		return nil
	}
	file := t.file
	t.file = nil
	return file.Close()
}
