package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/relent-go/relent/store/memory"
	"github.com/relent-go/relent/work/job"
)

// A file is a job.Store for one job of one process: in memory, but for the checkpoint, which outlives the process. For more, take
// a store of store/sqldb.
type file struct {
	memory.Jobs
	path string
}

// open returns a store with a job in it, at the checkpoint that the file holds, if there is one.
func open(ctx context.Context, path string, j job.Job) (*file, error) {
	s := &file{path: path}
	if err := s.Enqueue(ctx, j); err != nil {
		return nil, err
	}
	saved, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	c := job.Checkpoint{}
	if err = errors.Join(err, json.Unmarshal(saved, &c)); err != nil {
		return nil, err
	}
	taken, err := s.Take(ctx, job.Want{Worker: "restart", Kinds: []string{j.Kind}, Max: 1, Lease: time.Minute})
	for _, r := range taken.Jobs {
		c.Seq = 1
		err = errors.Join(s.Jobs.Save(ctx, r.Lease(), c), s.Nack(ctx, r.Lease(), 0, job.Report{Err: "the process had died", Free: true}))
	}
	return s, err
}

// Save keeps a checkpoint, and returns when it would survive a loss of power.
func (s *file) Save(ctx context.Context, l job.Lease, c job.Checkpoint) error {
	if err := s.Jobs.Save(ctx, l, c); err != nil {
		return err // a stale lease, above all
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	f, err := os.Create(s.path + ".new")
	if err != nil {
		return err
	}
	err = errors.Join(json.NewEncoder(f).Encode(c), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	return errors.Join(err, dir.Sync())
}
