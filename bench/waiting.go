package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// The ways to wait that are not subjects of their own.
const (
	relent    = "relent"
	relentGo  = "relent Go" // without a goroutine per call
	afterFunc = "AfterFunc" // the floor without goroutines
)

// A scene is one run of the waiting program.
type scene struct {
	subject    string
	start      string // burst or paced
	calls      int
	wait, pace time.Duration
}

// plan lists the scenes of a run: relent and the floors at every size, the peers at those that
// need no more than a few hundred megabytes.
func plan(subjects []Subject, short, million bool) (scenes []scene) {
	sizes := []int{1_000, 10_000, 100_000, 1_000_000}
	if short {
		sizes = sizes[:2]
	}
	for _, calls := range sizes {
		for _, name := range waiters(subjects) {
			ours := name == bare || name == afterFunc || name == relent || name == relentGo
			if !ours && (calls == 1_000 || calls == 1_000_000 && !million) {
				continue
			}
			for _, start := range []string{"burst", "paced"} {
				s := scene{subject: name, start: start, calls: calls, wait: time.Second, pace: time.Second}
				switch {
				case short:
					s.wait, s.pace = 500*time.Millisecond, 500*time.Millisecond
				case calls == 100_000:
					s.pace = 2 * time.Second // 50,000 calls a second
				case calls == 1_000_000:
					s.pace = 10 * time.Second // 100,000 calls a second
				}
				if start == "burst" && calls >= 100_000 {
					s.wait = time.Duration(calls) * 30 * time.Microsecond // until all wait and the heap is read
				}
				scenes = append(scenes, s)
			}
		}
	}
	return scenes
}

// waiters returns who can wait, in the order of the columns.
func waiters(subjects []Subject) (names []string) {
	for _, s := range subjects {
		if !s.Waits {
			continue
		}
		names = append(names, s.Name)
		switch s.Name {
		case bare:
			names = append(names, afterFunc)
		case relent:
			names = append(names, relentGo)
		}
	}
	return names
}

// waiting plays the scenes one after another, each in a process of its own.
func (t *tools) waiting(ctx context.Context, scenes []scene) (all []Waiting, err error) {
	for i, s := range scenes {
		fmt.Fprintf(t.log, "waiting, %d of %d: %s, %d calls, %s\n", i+1, len(scenes), s.subject, s.calls, s.start)
		w, err := t.play(ctx, s)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// play makes a second try with a longer wait, for a machine that was too busy to bring all calls to
// wait before the first woke.
func (t *tools) play(ctx context.Context, s scene) (Waiting, error) {
	w, err := t.once(ctx, s)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(t.log, "%v: once more with twice the wait\n", err)
		s.wait *= 2
		w, err = t.once(ctx, s)
	}
	return w, err
}

// once bounds a scene's time: a subject that loses a call would make it last for ever.
func (t *tools) once(ctx context.Context, s scene) (w Waiting, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	out, err := t.run(ctx, "", t.path("waiting"), "-subject", s.subject, "-start", s.start,
		"-calls", fmt.Sprint(s.calls), "-wait", s.wait.String(), "-pace", s.pace.String())
	if err != nil {
		return w, err
	}
	return w, json.Unmarshal(out, &w)
}
