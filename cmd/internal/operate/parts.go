package operate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relent-go/relent/control"
)

func (p *page) policies() {
	t := &table{}
	old := false
	for i := range p.Policies {
		v := &p.Policies[i]
		if i == 0 {
			t.add(p.roomy([]cell{bold("policies"), right("success"), right("1st try"), right("calls/s"), right("retry/s"), right("amplif."), right("busy"), right("wait")})...)
		}
		s, before := v.shown()
		mark := ""
		if before {
			old, mark = true, "*"
		}
		success := number(percent(s.Success) + mark)
		if s.Success < .5 {
			success.style = red
		} else if s.Success < .99 {
			success.style = yellow
		}
		t.add(p.roomy([]cell{text("  " + v.Name), success, number(percent(s.FirstTry) + mark), number(rate(v.CallRate)), number(rate(v.RetryRate)),
			number(times(s.Amplification) + mark), number(many(v.InFlight)), number(many(v.Waiting))})...)
	}
	p.section("policies", t)
	if old {
		p.out = append(p.out, p.paint(p.fit("* of all calls since the start: there were none just now"), faint))
	}
	if p.verbose {
		p.inWords()
	}
}

// roomy drops the last two columns where the terminal is narrow.
func (p *page) roomy(row []cell) []cell {
	if p.width > 0 && p.width < 76 {
		return row[:len(row)-2]
	}
	return row
}

// inWords says what the policies are.
func (p *page) inWords() {
	for i := range p.Policies {
		v := &p.Policies[i]
		if v.Policy != "" {
			p.out = append(p.out, wrap(fmt.Sprintf("%s: %s", plain(v.Name), plain(v.Policy)), p.width, 2)...)
		}
		for _, field := range slices.Sorted(maps.Keys(v.Override)) {
			line := fmt.Sprintf("an operator changed %s from %s to %s", plain(field), plain(v.Base[field]), plain(v.Override[field]))
			p.out = append(p.out, p.paint(p.fit("    "+line), yellow))
		}
		if s := pairs(v.Suppressed); s != "" {
			p.out = append(p.out, wrap("retries not made: "+s, p.width, 4)...)
		}
	}
}

func right(s string) cell { return cell{text: s, style: faint, right: true} }

func percent(r ratio) string {
	switch {
	case r.none():
		return "-"
	case r >= .9995 && r < 1: // 100 % is said of nothing less
		return "99.9%"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(r))
}

func rate(r ratio) string {
	switch {
	case r.none():
		return "-"
	case r >= 99.95:
		return many(int64(r + .5))
	}
	return fmt.Sprintf("%.1f", float64(r))
}

func times(r ratio) string {
	if r.none() {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(r))
}

func (p *page) circuits() {
	t := &table{Indent: 2, Flex: 1, Wrap: true}
	closed := 0
	for _, c := range p.Circuits {
		if c.State == "closed" && !c.Forced && !p.verbose {
			closed++
			continue
		}
		word := text(strings.ReplaceAll(c.State, "_", " ")).in(yellow)
		switch c.State {
		case "open", "isolated":
			word.style = red
		case "closed":
			word.style = ""
		}
		more := []string{"for " + p.ago(c.Since)}
		if c.FailureRate > 0 {
			more = append(more, percent(ratio(c.FailureRate))+" fail")
		}
		if !c.NextProbe.IsZero() {
			more = append(more, "probe in "+span(c.NextProbe.Sub(p.At)))
		}
		if c.Forced {
			more = append(more, "forced")
		}
		if c.Critical {
			more = append(more, "critical")
		}
		if c.Cause != "" {
			more = append(more, c.Cause)
		}
		t.add(word, text(where(c.Policy, c.Target)), text(strings.Join(more, ", ")))
	}
	if closed > 0 {
		t.add(text("closed"), text(fmt.Sprintf("%d of %d", closed, len(p.Circuits))), cell{})
	}
	p.section("circuits", t)
}

// where is what a circuit guards.
func where(policy, target string) string {
	if policy == "" || target == "" {
		return policy + target
	}
	return policy + " to " + target
}

func (p *page) budgets() {
	t := &table{}
	for i, b := range p.Budgets {
		if i == 0 {
			t.add(bold("budgets"), right("left"), right("of"), right("granted"), right("denied"))
		}
		level := number(fmt.Sprintf("%.1f", b.Level))
		if b.Level < 1 {
			level.style = red
		}
		t.add(text("  "+b.Name), level, number(fmt.Sprintf("%.1f", b.Max)), number(many(b.Granted)), number(many(b.Denied)))
	}
	p.section("budgets", t)
}

func (p *page) venues() {
	t := &table{Indent: 2, Wrap: true}
	for _, v := range p.Venues {
		var parts []string
		style := ""
		if v.Unknown > 0 {
			parts, style = append(parts, many(v.Unknown)+" unknown"+after(", oldest for ", p.sinceOr(v.OldestUnknown))), yellow
		}
		if v.Parked > 0 {
			parts, style = append(parts, many(v.Parked)+" parked: relent orders"), red
		}
		if !v.BannedUntil.IsZero() && v.BannedUntil.After(p.At) {
			parts, style = append(parts, "banned for "+span(v.BannedUntil.Sub(p.At))), red
		}
		if len(parts) == 0 {
			parts = append(parts, "no order in doubt")
		}
		if name, room, ok := tightest(v.Headroom); ok {
			parts = append(parts, fmt.Sprintf("%s left of %s", percent(ratio(room)), name))
		}
		if v.GuardTrips > 0 {
			parts = append(parts, many(v.GuardTrips)+" resends blocked")
		}
		if s := pairs(v.Reconnects); s != "" {
			parts = append(parts, "reconnects: "+s)
		}
		t.add(bold(v.Name), text(strings.Join(parts, "; ")).in(style))
	}
	p.section("venues", t)
}

// tightest is the limit of which the least is left.
func tightest(m map[string]float64) (name string, room float64, ok bool) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !ok || m[k] < room {
			name, room, ok = k, m[k], true
		}
	}
	return name, room, ok
}

func (p *page) components() {
	t := &table{Indent: 2, Flex: 1, Wrap: true}
	for _, c := range p.Components {
		word := text(c.State).in(yellow)
		switch c.State {
		case "up":
			word.style = green
		case "failing":
			word.style = red
		}
		t.add(word, bold(c.Name), text(strings.Join(componentDetails(&c), ", ")))
	}
	p.section("components", t)
}

func componentDetails(c *control.ComponentView) (parts []string) {
	if c.Critical {
		parts = append(parts, "critical")
	}
	if c.Cause != "" {
		parts = append(parts, c.Cause)
	}
	if c.Stuck {
		parts = append(parts, "its check hangs")
	}
	return parts
}

func (p *page) instances() {
	if len(p.Instances) == 0 {
		return // one process, and not a fleet
	}
	t := &table{Indent: 2, Flex: 1}
	for _, i := range p.Instances {
		word := text("connected").in(green)
		if !i.Connected {
			word = bad("away")
		}
		t.add(word, bold(i.Name), text("seen "+p.ago(i.Seen)+" ago"), text(i.Version), dim(after("config ", i.Config[:min(8, len(i.Config))])))
	}
	p.section("instances", t)
}

// rest is about relent itself, and said only if it has something to say.
func (p *page) rest() {
	t := &table{Indent: 2, Wrap: true}
	if a := p.Audit; a != nil {
		word := text("audit")
		about := many(a.Records) + " records"
		if a.Broken || a.WriteErrors > 0 {
			about += fmt.Sprintf(", %s could not be written", many(a.WriteErrors))
			word.style = red
		}
		if a.Broken {
			about += "; the chain is broken: relent audit verify"
		}
		t.add(word, text(about))
	}
	if c := p.Config; c != nil {
		word := text("config")
		about := c.Hash[:min(8, len(c.Hash))] + " loaded " + p.ago(c.Loaded) + " ago"
		if !c.Good {
			word.style = red
			about += "; the last reload failed: " + strings.Join(c.Errors, "; ")
		}
		t.add(word, text(about))
	}
	if s := pairs(p.Dropped); s != "" {
		t.add(text("dropped").in(yellow), text(s))
	}
	if len(t.rows) > 0 {
		p.section("relent", t)
	}
}
