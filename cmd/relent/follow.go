package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/server"
)

// A follower keeps a server up to date with its configuration file: see server.File.
type follower struct {
	watcher *config.Watcher
	server  *server.Server
	hangups chan os.Signal
}

// follow makes a follower of a file that was read.
func follow(file *config.File) (*follower, error) {
	set, err := file.Preview() // a server keeps the stops of its fleet elsewhere, and makes no calls
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name, err)
	}
	f := &follower{hangups: make(chan os.Signal, 1)}
	f.watcher = &config.Watcher{Name: file.Name, Lookup: os.LookupEnv, Signals: f.hangups, Publish: f.publish, Audit: f.tell}
	f.watcher.Recovered = func(e config.Event) { f.server.Recover(e.Hash) }
	f.watcher.Adopt(set)
	return f, nil
}

// Begin implements [server.File].
func (f *follower) Begin(s *server.Server) { f.server = s }

// Run implements [server.File].
func (f *follower) Run(ctx context.Context) {
	signal.Notify(f.hangups, syscall.SIGHUP)
	defer signal.Stop(f.hangups)
	if err := f.publish(f.watcher.Current(), config.Event{Source: "start", Hash: f.watcher.Status().Hash}); err != nil {
		f.server.Refuse(ctx, settings(f.watcher.Current(), config.Event{Source: "start"}), err)
	}
	if err := f.watcher.Run(ctx); ctx.Err() == nil {
		f.server.Refuse(ctx, settings(f.watcher.Current(), config.Event{Source: "file"}), fmt.Errorf("changes of the file are not seen any more; relent policy apply still works: %w", err))
	}
}

// Reload implements [server.File].
func (f *follower) Reload(source, actor, hash string) server.Reloading {
	if hash != "" {
		if there, err := config.Read(f.watcher.Name, os.LookupEnv); err == nil && there.Hash != hash {
			return server.Reloading{Result: string(config.Refused), Hash: there.Hash, Before: f.watcher.Status().Hash, Errors: []string{
				fmt.Sprintf("the server reads another text in %s, with the hash %.12s and not %.12s: nothing was changed", f.watcher.Name, there.Hash, hash),
			}}
		}
	}
	e := f.watcher.Reload(source, actor)
	r := server.Reloading{Result: string(e.Result), Hash: e.Hash, Before: e.Before, Changes: lines(e.Changes)}
	if e.Err != nil {
		r.Errors = f.watcher.Status().Errors
	}
	return r
}

// publish puts a set in force. It is called for one at a time, by the watcher.
func (f *follower) publish(next *config.Set, e config.Event) error {
	var fixed []config.Change
	for _, c := range e.Changes {
		if strings.HasPrefix(c.Path, "server.") || c.Path == "server" {
			fixed = append(fixed, c)
		}
	}
	if len(fixed) > 0 {
		return &config.NeedsRestart{Changes: fixed}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return f.server.Configure(ctx, settings(next, e))
}

// patience is how long a configuration may take to be stored and recorded.
const patience = 10 * time.Second

// tell passes on what was refused. What was applied is told by the server.
func (f *follower) tell(e config.Event) {
	if e.Result != config.Refused {
		return
	}
	err := e.Err
	if _, ok := errors.AsType[*config.Invalid](err); ok {
		err = errors.New(strings.Join(f.watcher.Status().Errors, "\n"))
	}
	f.server.Refuse(context.Background(), settings(f.watcher.Current(), e), err) // which waits 5 s at most
}

// settings are what a server takes of a set.
func settings(s *config.Set, e config.Event) server.Settings {
	return server.Settings{
		Hash: e.Hash, Policies: s.File.Fields(), Budgets: lent(s.File), Alerts: told(s.File), Actor: e.Actor, Source: e.Source, Changes: lines(e.Changes),
	}
}

func lines(changes []config.Change) (all []string) {
	for _, c := range changes {
		from, to := c.From, c.To
		if from == "" {
			from = "not given"
		}
		if to == "" {
			to = "not given"
		}
		all = append(all, fmt.Sprintf("%s: %s -> %s", c.Path, from, to))
	}
	return all
}
