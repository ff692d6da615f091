package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/relent-go/relent/exchange"
	breakers "github.com/relent-go/relent/gate/breaker/profile"
	"github.com/relent-go/relent/gate/budget"
	budgets "github.com/relent-go/relent/gate/budget/profile"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// check notes what is wrong with the values together.
func (l *loader) check(c *Content) {
	used := map[string]bool{}
	known := c.references(l)
	for _, name := range sorted(c.Policies) {
		p := c.Policies[name]
		path := join("policies", name)
		l.gates(path, p, known, used)
		l.mistakes(path, p.checked(name).Check())
		l.learning(path, p, c)
		if p.Component != "" {
			l.component(join(path, "component"), p.Component, c)
		}
		if parts := p.scope(name); p.Scope == "" && len(parts) > halt.MaxDepth && contains(p.Gates, "halt") {
			l.note(l.keyOf(path), path, Contradiction, "%s: the name has %d parts, and the emergency stop takes %d: say a scope", dotted(path), len(parts), halt.MaxDepth)
		}
		if p.Scope != "" && !scopeNames.MatchString(p.Scope) {
			l.note(l.valueOf(join(path, "scope")), join(path, "scope"), BadValue, "%s: want up to 8 parts with slashes between them, such as equities/binance", dotted(join(path, "scope")))
		}
	}
	for _, name := range sorted(c.Budgets) {
		b := c.Budgets[name]
		path := join("budgets", name)
		if b.Health != "" {
			l.reference(join(path, "health"), b.Health, "breaker.", known)
			used[known[b.Health]] = true
		}
		if b.Profile != "" {
			l.profile(path, b.Profile, budgets.Names())
			l.alone(path, "profile", "profile", "settings")
		} else if len(b.Settings) > 0 {
			l.note(l.keyOf(join(path, "settings")), join(path, "settings"), Contradiction, "settings are those of a profile, and there is no profile")
		}
		if gate, err := b.budget(name); err == nil {
			l.mistakes(path, gate.Check())
		} else if slices.Contains(budgets.Names(), b.Profile) {
			l.settings(join(path, "settings"), b.Settings, err)
		}
	}
	for _, name := range sorted(c.Breakers) {
		b := c.Breakers[name]
		path := join("breakers", name)
		if b.Profile != "" {
			l.profile(path, b.Profile, breakers.Names())
			l.alone(path, "profile", "profile", "readiness")
		}
		l.mistakes(path, b.rules().Check())
		if b.SlowRate > 0 && !(b.Classic && b.SlowAfter > 0) {
			l.note(l.keyOf(join(path, "slow_rate")), join(path, "slow_rate"), Contradiction, "slow_rate needs classic: true, and slow_after")
		}
	}
	for _, name := range sorted(c.Limits) {
		l.limit(join("limits", name), c.Limits[name], name)
	}
	l.halt(c)
	l.venues(c)
	l.components(c)
	l.contradictions(c)
	l.unused(c, used)
	l.serving(c)
	l.alerting(c)
	l.proxying(c)
}

// sorted returns the names of a section, so that what is said about them has an order.
func sorted[T any](m Named[T]) []string { return slices.Sorted(maps.Keys(m)) }

// keyOf is the node to point at for a field: its key, or the nearest one above that is in the file.
func (l *loader) keyOf(path string) *yaml.Node {
	for {
		if p, ok := l.places[path]; ok {
			if p.key != nil {
				return p.key
			}
			return p.value
		}
		i := max(strings.LastIndex(path, separator), strings.LastIndex(path, "["))
		if i < 0 {
			return nil
		}
		path = path[:i]
	}
}

// valueOf is the node to point at for a value.
func (l *loader) valueOf(path string) *yaml.Node {
	if p, ok := l.places[path]; ok {
		return p.value
	}
	return l.keyOf(path)
}

var (
	goField  = regexp.MustCompile(`^([A-Z]\w*(?:\.[A-Z]\w*)*)(\[\d+\])?: (.*)$`)
	goWord   = regexp.MustCompile(`\b[A-Z][a-z]+(?:[A-Z][a-z]+)*(?:\.[A-Z][a-z]+(?:[A-Z][a-z]+)*)?\b`)
	goUpper  = regexp.MustCompile(`([a-z])([A-Z])`)
	lowerSet = func(s string) string { return strings.ToLower(goUpper.ReplaceAllString(s, "${1}_${2}")) }
)

// mistakes notes what a package says about its own fields: each error begins with the name of one.
func (l *loader) mistakes(path string, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			l.mistakes(path, one)
		}
		return
	}
	kind := Contradiction
	if _, ok := errors.AsType[*budget.Warning](err); ok {
		kind = Unwise
	}
	found := goField.FindStringSubmatch(err.Error())
	if found == nil {
		l.note(l.keyOf(path), path, BadValue, "%s: %s", dotted(path), tidy(err.Error()))
		return
	}
	at := join(path, strings.Split(lowerSet(found[1]), ".")...)
	if renamed, ok := renamed[found[1]]; ok {
		at = join(path, renamed)
	}
	text := goWord.ReplaceAllStringFunc(found[3], func(word string) string {
		if fieldNames[lowerSet(word)] || word == "Unlimited" {
			return lowerSet(word)
		}
		return word
	})
	text = strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(text)
	l.note(l.valueOf(at), at, kind, "%s: %s", dotted(at), tidy(text))
}

// settings notes what a profile says about its settings, each at its own place.
func (l *loader) settings(path string, given Named[string], err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			l.settings(path, given, one)
		}
		return
	}
	at := path
	field, _, _ := strings.Cut(err.Error(), ":")
	for name := range given {
		if strings.EqualFold(name, field) {
			at = join(path, name)
		}
	}
	l.note(l.valueOf(at), at, BadValue, "%s: %s", dotted(path), tidy(err.Error()))
}

// renamed are fields with another name in the file than in Go.
var renamed = map[string]string{"Ramp.Step": "ramp_step", "Ramp.Burst": "ramp_burst"}

// fieldNames are those of the file.
var fieldNames = func() map[string]bool {
	all := map[string]bool{}
	for _, t := range []any{Policy{}, Budget{}, Breaker{}, Limit{}, Scope{}, Floors{}, Load{}} {
		for _, name := range tableFor(t).names {
			all[name], all["floors."+name], all["load."+name] = true, true, true
		}
	}
	return all
}()

// tidy makes one line of a text.
func tidy(text string) string { return strings.Join(strings.Fields(text), " ") }

// references returns what gates may be called, each with the path of its definition. A definition whose name begins
// with the word for its section, such as breaker.binance, may be called by that.
func (c *Content) references(l *loader) map[string]string {
	known := map[string]string{"halt": "halt"}
	for section, names := range map[string][]string{"budget": sorted(c.Budgets), "breaker": sorted(c.Breakers), "limit": sorted(c.Limits)} {
		for _, name := range names {
			path := join(section+"s", name)
			reference := section + "." + strings.TrimPrefix(name, section+".")
			if other, twice := known[reference]; twice {
				other, path = ordered(l, other, path)
				l.note(l.keyOf(path), path, DuplicateKey, "%s and %s have one name, %s: the first is in line %d", dotted(path), dotted(other), reference, l.keyOf(other).Line)
				continue
			}
			known[reference] = path
		}
	}
	return known
}

// ordered returns two paths in the order of the file.
func ordered(l *loader, a, b string) (first, second string) {
	x, y := l.keyOf(a), l.keyOf(b)
	if x.Line > y.Line || x.Line == y.Line && x.Column > y.Column {
		return b, a
	}
	return a, b
}

// reference notes a name that nothing has.
func (l *loader) reference(path, name, prefix string, known map[string]string) bool {
	if _, ok := known[name]; ok && strings.HasPrefix(name, prefix) {
		return true
	}
	var names []string
	for _, n := range slices.Sorted(maps.Keys(known)) {
		if strings.HasPrefix(n, prefix) {
			names = append(names, n)
		}
	}
	what := "gate"
	if prefix != "" {
		what = strings.TrimSuffix(prefix, ".")
	}
	m := l.note(l.valueOf(path), path, UnknownReference, "unknown %s %s", what, quote(name))
	l.suggest(m, name, names)
	if len(m.Suggestions) > 0 {
		return false
	}
	for _, section := range []string{"breaker.", "budget.", "limit."} {
		if _, ok := known[section+name]; ok && prefix == "" {
			m.Suggestions = append(m.Suggestions, section+name)
		}
	}
	if section, rest, ok := strings.Cut(name, "."); ok && len(m.Suggestions) == 0 && contains([]string{"breaker", "budget", "limit"}, section) {
		m.Message += fmt.Sprintf(": define %s under %ss", rest, section)
	}
	return false
}

// gates notes what is wrong with a policy's list of gates.
func (l *loader) gates(path string, p Policy, known map[string]string, used map[string]bool) {
	first := map[string]int{}
	slots := -1
	for i, name := range p.Gates {
		at := join(path, "gates", fmt.Sprintf("[%d]", i))
		if name == "" || !l.reference(at, name, "", known) {
			continue
		}
		used[known[name]] = true
		if _, twice := first[name]; twice {
			l.note(l.valueOf(at), at, Contradiction, "gate %s is in the list twice: an attempt would count twice", quote(name))
			continue
		}
		first[name] = i
		switch def := known[name]; {
		case strings.HasPrefix(def, "limits"+separator) && l.places[join(def, "concurrency")].key != nil:
			slots = i
		case strings.HasPrefix(def, "limits"+separator) && l.places[join(def, "rate")].key != nil && slots >= 0:
			l.note(l.valueOf(at), at, Unwise, "the rate %s comes after the concurrency %s: put it before, or attempts that waited for slots begin together", quote(name), quote(p.Gates[slots]))
		}
	}
}

// checked returns the policy with something in place of its gates.
func (p *Policy) checked(name string) *retry.Policy {
	made := p.policy(name)
	if len(p.Gates) > 0 {
		made.Gates = []retry.Gate{&budget.Budget{}}
	}
	// What 0s stands for is no mistake.
	made.Expected, made.MaxHint = max(0, made.Expected), max(0, made.MaxHint)
	return made
}

// profile notes an unknown one.
func (l *loader) profile(path, name string, names []string) {
	if contains(names, name) {
		return
	}
	at := join(path, "profile")
	m := l.note(l.valueOf(at), at, UnknownReference, "unknown profile %s: there are %s", quote(name), list(names, "and"))
	l.suggest(m, name, names)
}

// alone notes fields that have no meaning beside another.
func (l *loader) alone(path, field string, allowed ...string) {
	for _, row := range tableFor(map[bool]any{true: Budget{}, false: Breaker{}}[strings.HasPrefix(path, "budgets")]).fields {
		at := join(path, row.name)
		if place, given := l.places[at]; given && !contains(allowed, row.name) {
			l.note(place.key, at, Contradiction, "%s has no meaning beside %s", row.name, field)
		}
	}
}

// limit notes what is wrong with a limit: it has one kind, and the fields of that.
func (l *loader) limit(path string, m Limit, name string) {
	kinds := []string{"concurrency", "rate", "retries", "attempts_per_parent"}
	var given []string
	for _, k := range kinds {
		if _, ok := l.places[join(path, k)]; ok {
			given = append(given, k)
		}
	}
	switch {
	case len(given) == 0:
		l.note(l.keyOf(path), path, MissingRequired, "%s: say which limit it is: %s", dotted(path), list(kinds, "or"))
		return
	case len(given) > 1:
		l.note(l.keyOf(join(path, given[1])), join(path, given[1]), Contradiction, "%s: a limit is one of %s: define two, and list both as gates", dotted(path), list(given, "and"))
		return
	}
	fits := map[string]string{
		"concurrency": "max_wait max_waiters", "rate": "per burst max_wait max_waiters", "retries": "per", "attempts_per_parent": "loose",
	}[given[0]]
	for _, f := range []string{"per", "burst", "max_wait", "max_waiters", "loose"} {
		if place, ok := l.places[join(path, f)]; ok && !contains(strings.Fields(fits), f) {
			l.note(place.key, join(path, f), Contradiction, "%s has no meaning for %s", f, given[0])
		}
	}
	if m.kind() != "" {
		// What 0 stands for is no mistake.
		for _, n := range []**int{&m.Retries, &m.AttemptsPerParent, &m.MaxWaiters} {
			if *n != nil && **n == 0 {
				*n = new(1)
			}
		}
		l.mistakes(path, m.gate(name).Check())
	}
}

func (l *loader) halt(c *Content) {
	if c.Halt == nil {
		return
	}
	l.mistakes("halt", c.Halt.tree().Check())
	for _, name := range sorted(c.Halt.Scopes) {
		s := c.Halt.Scopes[name]
		limits, _ := s.limits()
		l.mistakes(join("halt", "scopes", name), limits.Check())
	}
}

// venues notes venues that nobody knows anything about, and facts that are none of theirs.
func (l *loader) venues(c *Content) {
	for _, name := range sorted(c.Venues) {
		v := c.Venues[name]
		path := join("venues", name)
		known := exchange.Names()
		if !contains(known, v.profileName(name)) {
			at, what := join(path, "profile"), v.Profile
			if what == "" {
				at, what = path, name
			}
			m := l.note(l.valueOf(at), at, UnknownReference, "no facts about %s: there are %s", quote(what), list(known, "and"))
			if v.Profile == "" {
				m.Line, m.Column, m.length = l.keyOf(path).Line, l.keyOf(path).Column, l.extent(l.keyOf(path))
			}
			l.suggest(m, what, known)
			continue
		}
		profile, err := exchange.Load(v.profileName(name))
		if err != nil {
			l.note(l.keyOf(path), path, BadValue, "%s: %v", dotted(path), err)
			continue
		}
		var facts []string
		for _, claim := range profile.Claims() {
			facts = append(facts, claim.Path)
		}
		for _, fact := range sorted(v.Tested) {
			at := join(path, "tested", fact)
			if !contains(facts, fact) {
				m := l.note(l.keyOf(at), at, UnknownReference, "%s is no fact of %s", quote(fact), profile.Exchange)
				l.suggest(m, fact, facts)
			} else if strings.TrimSpace(v.Tested[fact]) == "" && l.places[at].value != nil {
				l.note(l.valueOf(at), at, BadValue, "%s: say the reason why the fact counts as tested", dotted(at))
			}
		}
	}
}

// profileName is the name of the facts about a venue.
func (v *Venue) profileName(name string) string { return cmp.Or(v.Profile, name) }

// Facts returns what is known about the venue of an operation, whose name begins with that of the venue, and whether
// anything is. Facts that the file calls tested count as such.
func (f *File) Facts(operation string) (*exchange.Profile, bool) {
	name, _, _ := strings.Cut(operation, ".")
	v := f.Venues[name]
	if !contains(exchange.Names(), v.profileName(name)) {
		return nil, false
	}
	profile, err := exchange.Load(v.profileName(name))
	if err == nil && len(v.Tested) > 0 {
		profile, err = profile.Raise(v.Tested)
	}
	return profile, err == nil
}

// hostComponents are those that every process has.
var hostComponents = []string{"clock", "dns"}

func (l *loader) component(path, name string, c *Content) {
	if _, ok := c.Components[name]; ok || contains(hostComponents, name) {
		return
	}
	m := l.note(l.valueOf(path), path, UnknownReference, "unknown component %s", quote(name))
	l.suggest(m, name, append(sorted(c.Components), hostComponents...))
}

// components notes references to nothing, cycles, and critical ones that depend on others that are not.
func (l *loader) components(c *Content) {
	for _, name := range sorted(c.Components) {
		one := c.Components[name]
		path := join("components", name)
		for i, other := range one.DependsOn {
			at := join(path, "depends_on", fmt.Sprintf("[%d]", i))
			l.component(at, other, c)
			if below, ok := c.Components[other]; ok && one.Critical && !below.Critical {
				l.note(l.valueOf(at), at, Unwise, "%s is critical and depends on %s, which is not: it fails with it nevertheless", name, other)
			}
		}
		if one.Timeout.std() > 10*time.Second {
			at := join(path, "timeout")
			l.note(l.valueOf(at), at, OutOfRange, "%s: %s is more than 10s, the most", dotted(at), one.Timeout.String())
		}
	}
	l.cycles(c)
}

// cycles notes each cycle of dependencies once, at the dependency that closes it.
func (l *loader) cycles(c *Content) {
	const visiting, done = 1, 2
	state := map[string]int{}
	var trail []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = visiting
		trail = append(trail, name)
		for i, other := range c.Components[name].DependsOn {
			switch state[other] {
			case visiting:
				cycle := append(slices.Clone(trail[slices.Index(trail, other):]), other)
				at := join("components", name, "depends_on", fmt.Sprintf("[%d]", i))
				l.note(l.valueOf(at), at, DependencyCycle, "components depend on each other: %s", strings.Join(cycle, " -> "))
			case done:
			default:
				visit(other)
			}
		}
		trail = trail[:len(trail)-1]
		state[name] = done
	}
	for _, name := range sorted(c.Components) {
		if state[name] == 0 {
			visit(name)
		}
	}
}

// contradictions notes policies of one operation that say different things about it.
func (l *loader) contradictions(c *Content) {
	byName, byScope := map[string]string{}, map[string]string{}
	for _, name := range sorted(c.Policies) {
		p := c.Policies[name]
		folded := strings.Map(func(r rune) rune {
			if r == '-' {
				return '_'
			}
			return r
		}, strings.ToLower(name))
		if other, ok := byName[folded]; ok {
			l.contradict(other, name, "", "are too alike: whoever looks one up may get the other")
		}
		byName[folded] = name
		scope := strings.Join(p.scope(name), "/")
		other, ok := byScope[scope]
		if !ok {
			byScope[scope] = name
			continue
		}
		if c.Policies[other].Idempotent != p.Idempotent {
			l.contradict(other, name, "idempotent", "contradict each other: both are of "+scope+", and only one is idempotent")
		}
		if c.Policies[other].RiskReducing != p.RiskReducing {
			l.contradict(other, name, "risk_reducing", "contradict each other: both are of "+scope+", and only one is risk reducing")
		}
	}
}

func (l *loader) contradict(a, b, field, how string) {
	first, second := ordered(l, join("policies", a), join("policies", b))
	at := second
	if field != "" {
		at = join(second, field)
	}
	l.note(l.keyOf(at), at, Contradiction, "%s and %s (line %d) %s", dotted(second), dotted(first), l.keyOf(first).Line, how)
}

// unused warns of definitions that no policy refers to, and of breakers that nothing can close again.
func (l *loader) unused(c *Content, used map[string]bool) {
	for section, names := range map[string][]string{"budgets": sorted(c.Budgets), "breakers": sorted(c.Breakers), "limits": sorted(c.Limits)} {
		for _, name := range names {
			if path := join(section, name); !used[path] {
				l.note(l.keyOf(path), path, Unused, "%s is not used by any policy", dotted(path))
			}
		}
	}
	known := c.references(&loader{source: l.source, places: l.places, said: map[string]bool{}})
	probed, by := map[string]bool{}, map[string]bool{}
	for _, p := range c.Policies {
		for _, g := range p.Gates {
			if path := known[g]; strings.HasPrefix(path, "breakers"+separator) {
				by[path] = true
				probed[path] = probed[path] || p.Idempotent
			}
		}
	}
	for path := range by {
		if !probed[path] {
			l.note(l.keyOf(path), path, Unwise, "%s: no policy that uses it is idempotent, so nothing can probe it: once open, it stays open until a person releases it", dotted(path))
		}
	}
}

// serving notes what is wrong with the server.
func (l *loader) serving(c *Content) {
	s := c.Server
	if s == nil {
		return
	}
	if s.Listen != "" {
		_, port, err := net.SplitHostPort(s.Listen)
		number, wrong := strconv.Atoi(port)
		if err != nil || wrong != nil || number < 0 || number > 65535 {
			at := join("server", "listen")
			l.note(l.valueOf(at), at, BadValue, "server.listen: %s is no address and port, such as 127.0.0.1:8470", quote(s.Listen))
		}
	}
	if s.Store != "" {
		scheme, rest, ok := strings.Cut(s.Store, ":")
		if !ok || rest == "" || !contains([]string{"sqlite", "postgres", "postgresql"}, scheme) {
			at := join("server", "store")
			l.note(l.valueOf(at), at, BadValue, "server.store: want sqlite:FILE or postgres://...")
		}
	}
}
