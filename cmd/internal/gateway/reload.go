package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/relent-go/relent/cmd/internal/config"
)

// patience is how long a configuration may take to be recorded.
const patience = 10 * time.Second

// publish puts a set in force, for the watcher, one at a time. All that can go wrong with routes goes wrong before anything changes.
// Requests that are under way end as they began.
func (g *Gateway) publish(next *config.Set, e config.Event) error {
	var fixed []config.Change
	for _, c := range e.Changes {
		// What is known about a venue decides what was counted against its limits so far.
		if name, ok := strings.CutPrefix(c.Path, "venues."); ok && g.venues[strings.Split(name, ".")[0]] != nil {
			fixed = append(fixed, c)
		}
	}
	if len(fixed) > 0 {
		return &config.NeedsRestart{Changes: fixed}
	}
	t, err := g.prepare(next)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	before := g.Registry.View().Config.Failures
	if err := next.Publish(ctx, g.Registry, g.live.Load().set, e); err != nil {
		g.shown = g.Registry.View().Config.Failures != before
		return err
	}
	return g.adopt(t)
}

// told shows what was refused. What was applied the registry shows by itself, and it may show why it refused it.
func (g *Gateway) told(e config.Event) {
	shown := g.shown
	g.shown = false
	if e.Result != config.Refused || shown {
		return
	}
	err := e.Err
	if _, ok := errors.AsType[*config.Invalid](err); ok {
		err = errors.New(strings.Join(g.watcher.Status().Errors, "\n"))
	}
	g.Registry.ReloadFailed(err)
}

// follow reloads until ctx ends.
func (g *Gateway) follow(ctx context.Context) {
	if err := g.watcher.Run(ctx); ctx.Err() == nil {
		g.Registry.ReloadFailed(fmt.Errorf("changes of the file are not seen any more, until a restart: %w", err))
	}
}
