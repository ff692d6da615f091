package adaptive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/relent-go/relent/internal/durable"
)

// Why a record of a snapshot was refused. The operation then starts cold.
var (
	ErrVersion   = errors.New("snapshot of another version")
	ErrSettings  = errors.New("snapshot made with other constants")
	ErrDamaged   = errors.New("snapshot damaged")
	ErrTruncated = errors.New("snapshot cut short")
)

const (
	magic   = "RLAD"
	version = 1
	floats  = int(groups)*bins*2 + int(groups)*len(periods)*3 + int(kinds)*retriesSeen*2 + 3
	header  = 4 + 2 + 8 + 8 + 8
	record  = header + 4*floats + 4
	halving = 24 * time.Hour // of what was counted before a restart
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// settings is a hash of all constants that the numbers of a snapshot depend on.
var settings = hash(fmt.Sprint(bins, priorRisk, priorBack, binDecay, firstEdge, periods, phaseDecay, kinds, retriesSeen))

func hash(s string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, s)
	return h.Sum64()
}

// numbers visits all that a snapshot holds, in order. m.mu is held.
func (m *model) numbers(visit func(*float32)) {
	for g := range m.hazard {
		for i := range bins {
			visit(&m.hazard[g].risk[i])
			visit(&m.hazard[g].back[i])
		}
	}
	for g := range m.phase {
		for i := range m.phase[g] {
			p := &m.phase[g][i]
			visit(&p.cos)
			visit(&p.sin)
			visit(&p.weight)
		}
	}
	for k := range m.item {
		for n := range m.item[k] {
			visit(&m.item[k][n].good)
			visit(&m.item[k][n].bad)
		}
	}
	for _, f := range []*float64{&m.up, &m.onsets, &m.exposure} {
		v := float32(*f)
		visit(&v)
		*f = float64(v)
	}
}

// Snapshot returns what was learned, for [Learner.Load] after a restart: a record of about 0.8 kB for each operation that has
// a model of its own. Beliefs, which outdate within seconds, are not in it. at is the present time.
func (l *Learner) Snapshot(at time.Time) []byte {
	var out []byte
	for _, name := range l.Operations() {
		m := l.known(name)
		m.mu.Lock()
		out = m.snapshot(out, at)
		m.mu.Unlock()
	}
	return out
}

// snapshot appends a record. m.mu is held.
func (m *model) snapshot(out []byte, at time.Time) []byte {
	from := len(out)
	out = append(out, magic...)
	out = binary.LittleEndian.AppendUint16(out, version)
	out = binary.LittleEndian.AppendUint64(out, settings)
	out = binary.LittleEndian.AppendUint64(out, hash(m.name))
	out = binary.LittleEndian.AppendUint64(out, uint64(at.Unix()))
	m.numbers(func(f *float32) { out = binary.LittleEndian.AppendUint32(out, math.Float32bits(*f)) })
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out[from:], castagnoli))
}

// Load takes over what a snapshot says about the operations named, which replaces what was learned about them since. What was
// counted has aged, with a half-life of a day. Records of other operations are skipped.
//
// The error is nil, or joins a reason for each record that was refused; the others are loaded.
func (l *Learner) Load(snapshot []byte, at time.Time, operations ...string) error {
	byHash := make(map[uint64]string, len(operations))
	for _, name := range operations {
		byHash[hash(name)] = name
	}
	var errs []error
	for n := 0; len(snapshot) > 0; n++ {
		if len(snapshot) < record {
			errs = append(errs, fmt.Errorf("record %d: %w: %d bytes of %d", n, ErrTruncated, len(snapshot), record))
			break
		}
		r := snapshot[:record]
		snapshot = snapshot[record:]
		values, err := parse(r)
		if err != nil {
			errs = append(errs, fmt.Errorf("record %d: %w", n, err))
			continue
		}
		name, wanted := byHash[binary.LittleEndian.Uint64(r[14:])]
		if !wanted {
			continue
		}
		if m := l.model(name); m.name == name {
			m.restore(values, at.Sub(time.Unix(int64(binary.LittleEndian.Uint64(r[22:])), 0)))
		}
	}
	return errors.Join(errs...)
}

// parse checks a record, and returns its numbers.
func parse(r []byte) ([]float32, error) {
	sum := len(r) - 4
	switch {
	case string(r[:4]) != magic:
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrDamaged, magic)
	case binary.LittleEndian.Uint16(r[4:]) != version:
		return nil, fmt.Errorf("%w: %d, and this is %d", ErrVersion, binary.LittleEndian.Uint16(r[4:]), version)
	case crc32.Checksum(r[:sum], castagnoli) != binary.LittleEndian.Uint32(r[sum:]):
		return nil, fmt.Errorf("%w: the checksum does not match", ErrDamaged)
	case binary.LittleEndian.Uint64(r[6:]) != settings:
		return nil, ErrSettings
	}
	values := make([]float32, floats)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(r[header+4*i:]))
	}
	if err := plausible(values); err != nil {
		return nil, err
	}
	return values, nil
}

// plausible refuses numbers that no model could have written.
func plausible(values []float32) error {
	var m model
	i := 0
	m.numbers(func(f *float32) { *f = values[i]; i++ })
	for i, v := range values {
		if v != v || v-v != 0 {
			return fmt.Errorf("%w: number %d is %v", ErrDamaged, i, v)
		}
	}
	good := m.up >= .3 && m.up <= 1 && m.onsets >= 0 && m.exposure >= 0
	for g := range m.hazard {
		for i := range bins {
			n, r := m.hazard[g].risk[i], m.hazard[g].back[i]
			good = good && n > 0 && r >= 0 && r <= n
		}
		for _, p := range m.phase[g] {
			good = good && p.weight >= 0
		}
	}
	for k := range m.item {
		for _, it := range m.item[k] {
			good = good && it.good > 0 && it.bad > 0
		}
	}
	if !good {
		return fmt.Errorf("%w: a number is out of its range", ErrDamaged)
	}
	return nil
}

// restore takes the numbers over, as they are after age.
func (m *model) restore(values []float32, age time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := 0
	m.numbers(func(f *float32) { *f = values[i]; i++ })
	keep := math.Exp2(-float64(max(0, age)) / float64(halving))
	k := float32(keep)
	for g := range m.hazard {
		h := &m.hazard[g]
		for i := range bins {
			h.risk[i] = priorRisk + k*(h.risk[i]-priorRisk)
			h.back[i] = priorBack + k*(h.back[i]-priorBack)
		}
		h.tally()
		for i := range m.phase[g] {
			p := &m.phase[g][i]
			p.cos, p.sin, p.weight = k*p.cos, k*p.sin, k*p.weight
		}
	}
	for n := range m.item {
		for i := range m.item[n] {
			it := &m.item[n][i]
			it.good, it.bad = .4+k*(it.good-.4), .1+k*(it.bad-.1)
		}
	}
	m.onsets, m.exposure = keep*m.onsets, keep*m.exposure
}

// Save writes a snapshot to a file, readable by its owner only. After a crash there is the old or the new one. One process at a
// time may save to a file.
func (l *Learner) Save(name string, at time.Time) error {
	if err := durable.Replace(name, l.Snapshot(at)); err != nil {
		return fmt.Errorf("save what was learned: %w", err)
	}
	return nil
}

// Restore loads a snapshot that [Learner.Save] wrote. The error is as of [Learner.Load].
func (l *Learner) Restore(name string, at time.Time, operations ...string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read what was learned: %w", err)
	}
	return l.Load(b, at, slices.Clone(operations)...)
}
