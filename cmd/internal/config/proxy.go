package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/gate/halt"
)

// A Proxy is what relent proxy listens on and where it sends what it is asked.
type Proxy struct {
	Listen      string          `yaml:"listen" jsonschema_description:"address and port for requests; default 127.0.0.1:8480"`
	Admin       string          `yaml:"admin" jsonschema_description:"address and port for health, metrics, dashboard and emergency stop; default 127.0.0.1:8481; beyond the loopback addresses it needs tokens"`
	Cert        string          `yaml:"cert_file" check:"env" jsonschema_description:"PEM with the certificate for listen, and those between it and its root; with key_file listen speaks TLS; both are read again when they change"`
	Key         string          `yaml:"key_file" check:"env" jsonschema_description:"PEM with the private key of cert_file"`
	Tokens      string          `yaml:"tokens_file" check:"env" jsonschema_description:"of lines name:role:hash, for admin: see relent token"`
	Hosts       []string        `yaml:"hosts" jsonschema_description:"names, with ports, under which browsers may reach admin, beside the loopback ones"`
	Name        string          `yaml:"name" jsonschema_description:"of this proxy in Via, by which it finds loops; default a random one"`
	MaxHops     int             `yaml:"max_hops" jsonschema:"minimum=1,maximum=100" jsonschema_description:"proxies that a request may have passed; default 10"`
	Connections int             `yaml:"connections" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"of clients at one time, further ones wait; default 20000"`
	Buffer      Bytes           `yaml:"buffer" jsonschema_description:"memory for the bodies of requests, of all together; what finds no room is not sent twice; default 64MiB"`
	ClientIdle  Duration        `yaml:"client_idle" jsonschema_description:"how long a client may neither send nor take anything of a body; default 30s"`
	Drain       *DurationOrZero `yaml:"drain" jsonschema_description:"from TERM to the end of listening; default 5s"`
	Bans        string          `yaml:"bans_file" check:"env" jsonschema_description:"holds the bans of venues across restarts; needed for routes with a venue"`
	Control     *Control        `yaml:"control" jsonschema_description:"the relent serve that this process belongs to; default none"`
	Routes      []Route         `yaml:"routes" jsonschema:"required" jsonschema_description:"where requests go: of several that match, the one with a host and then the longest path"`
}

// A Control is the control plane that a process belongs to.
type Control struct {
	URL       string `yaml:"url" jsonschema:"required" jsonschema_description:"of relent serve, such as https://ops.example:8470"`
	TokenFile string `yaml:"token_file" check:"env" jsonschema_description:"holds the bearer token; default none"`
	Dir       string `yaml:"dir" jsonschema_description:"where it is kept which stops came from the control plane; default nowhere, and a restart forgets"`
}

// A Route says what becomes of some requests.
type Route struct {
	Match       string       `yaml:"match" jsonschema:"required" jsonschema_description:"[HOST]/PATH: requests for this host, or for any, whose path is this one or below it"`
	Upstream    string       `yaml:"upstream" jsonschema:"required" jsonschema_description:"http or https, a host, and a path that is put before that of the request"`
	Policy      string       `yaml:"policy" jsonschema:"required" jsonschema_description:"one of policies; halt must be among its gates"`
	Venue       string       `yaml:"venue" jsonschema_description:"an exchange that the upstream is: its limits are kept, and orders of unknown outcome never sent again"`
	Account     string       `yaml:"account" jsonschema_description:"whose requests these are, for the limits of the venue; default main"`
	MaxBody     Bytes        `yaml:"max_body" jsonschema_description:"of a request, larger ones are refused; default 10MiB"`
	Replay      Bytes        `yaml:"replay" jsonschema_description:"of a request, larger ones are sent once; default 1MiB"`
	KeepHost    bool         `yaml:"keep_host" jsonschema_description:"the upstream sees the Host of the client; default its own"`
	Trust       bool         `yaml:"trust_forwarded" jsonschema_description:"X-Forwarded-For of the client is kept and added to; default it is replaced"`
	Credentials []Credential `yaml:"credentials" jsonschema_description:"headers that are set, whatever the client sent"`
}

// A Credential is a header whose value is a secret. It comes from one of two places.
type Credential struct {
	Header string `yaml:"header" jsonschema:"required" jsonschema_description:"such as Authorization"`
	File   string `yaml:"value_file" check:"env" jsonschema_description:"holds the value; read again when it changes"`
	Env    string `yaml:"env" jsonschema_description:"the name of the environment variable that holds the value"`
}

// proxying notes what is wrong with the proxy.
func (l *loader) proxying(c *Content) {
	p := c.Proxy
	if p == nil {
		return
	}
	for field, address := range map[string]string{"listen": p.Listen, "admin": p.Admin} {
		if address != "" && !isAddress(address) {
			at := join("proxy", field)
			l.note(l.valueOf(at), at, BadValue, "%s: %s is no address and port, such as 127.0.0.1:8480", dotted(at), quote(address))
		}
	}
	if p.Name != "" && !isToken(p.Name) {
		at := join("proxy", "name")
		l.note(l.valueOf(at), at, BadValue, "%s: want letters, digits and hyphens", dotted(at))
	}
	if host, _, err := net.SplitHostPort(p.Admin); err == nil && p.Tokens == "" && !isLoopback(host) {
		at := join("proxy", "admin")
		l.note(l.valueOf(at), at, Contradiction, "%s: %s can be reached from other machines, so it needs tokens_file", dotted(at), quote(p.Admin))
	}
	if _, port, err := net.SplitHostPort(p.Admin); err == nil && p.Admin == p.Listen && port != "0" {
		at := join("proxy", "admin")
		l.note(l.valueOf(at), at, Contradiction, "%s is the same as listen: what steers the proxy has an address of its own", dotted(at))
	}
	if (p.Cert == "") != (p.Key == "") {
		at, other := join("proxy", "cert_file"), "key_file"
		if p.Cert == "" {
			at, other = join("proxy", "key_file"), "cert_file"
		}
		l.note(l.keyOf(at), at, MissingRequired, "%s: it needs %s, too", dotted(at), other)
	}
	if p.Control != nil && p.Control.URL != "" {
		at := join("proxy", "control", "url")
		l.url(at, p.Control.URL)
	}
	if _, given := l.places[join("proxy", "routes")]; given && len(p.Routes) == 0 {
		l.note(l.keyOf(join("proxy", "routes")), join("proxy", "routes"), MissingRequired, "proxy.routes: there are none")
	}
	matches := map[string]*yaml.Node{}
	for i := range p.Routes {
		path := join("proxy", "routes", fmt.Sprintf("[%d]", i))
		l.route(path, &p.Routes[i], c)
		at := join(path, "match")
		host, rest, _ := strings.Cut(p.Routes[i].Match, "/")
		match := strings.ToLower(host) + "/" + strings.TrimSuffix(rest, "/")
		first, twice := matches[match]
		if twice {
			l.note(l.valueOf(at), at, DuplicateKey, "%s: %s is that of the route in line %d, too", dotted(at), quote(p.Routes[i].Match), first.Line)
		}
		matches[match] = l.valueOf(at)
	}
}

// route notes what is wrong with one route.
func (l *loader) route(path string, r *Route, c *Content) {
	if at := join(path, "match"); r.Match != "" {
		host, rest, slash := strings.Cut(r.Match, "/")
		switch {
		case !slash:
			l.note(l.valueOf(at), at, BadValue, "%s: %s has no path: write %s", dotted(at), quote(r.Match), quote(r.Match+"/"))
		case strings.ContainsAny(r.Match, "?#*{} ") || strings.Contains("/"+rest+"/", "/../") || strings.Contains("/"+rest+"/", "/./") || strings.Contains("/"+rest, "//"):
			l.note(l.valueOf(at), at, BadValue, "%s: want a host or none, and a plain path, such as api.example/v3", dotted(at))
		case strings.Contains(host, ":"):
			l.note(l.valueOf(at), at, BadValue, "%s: leave the port out: %s", dotted(at), quote(host[:strings.Index(host, ":")]+"/"+rest))
		}
	}
	if r.Upstream != "" {
		l.url(join(path, "upstream"), r.Upstream)
	}
	if r.Policy != "" {
		at := join(path, "policy")
		if policy, ok := c.Policies[r.Policy]; !ok {
			m := l.note(l.valueOf(at), at, UnknownReference, "unknown policy %s", quote(r.Policy))
			l.suggest(m, r.Policy, sorted(c.Policies))
		} else if !contains(policy.Gates, "halt") {
			l.note(l.valueOf(at), at, Contradiction, "%s: the emergency stop does not reach the policy %s: add halt to its gates", dotted(at), quote(r.Policy))
		}
	}
	if r.Venue != "" {
		at := join(path, "venue")
		if _, defined := c.Venues[r.Venue]; !defined && !contains(exchange.Names(), r.Venue) {
			m := l.note(l.valueOf(at), at, UnknownReference, "unknown venue %s", quote(r.Venue))
			l.suggest(m, r.Venue, append(sorted(c.Venues), exchange.Names()...))
		}
		if c.Proxy.Bans == "" {
			l.note(l.valueOf(at), at, MissingRequired, "%s: a venue needs proxy.bans_file, or a restart would forget that it has banned us", dotted(at))
		}
	} else if place, given := l.places[join(path, "account")]; given {
		l.note(place.key, join(path, "account"), Contradiction, "account has no meaning without venue")
	}
	if r.Replay > 0 && r.MaxBody > 0 && r.Replay > r.MaxBody {
		l.note(l.valueOf(join(path, "replay")), join(path, "replay"), Contradiction, "%s is more than max_body", dotted(join(path, "replay")))
	}
	for i, credential := range r.Credentials {
		at := join(path, "credentials", fmt.Sprintf("[%d]", i))
		_, file := l.places[join(at, "value_file")]
		_, env := l.places[join(at, "env")]
		if file == env {
			l.note(l.keyOf(at), at, Contradiction, "%s: want one of value_file and env", dotted(at))
		}
		name := join(at, "header")
		switch h := strings.ToLower(credential.Header); {
		case h == "":
		case !isToken(h):
			l.note(l.valueOf(name), name, BadValue, "%s: %s is no name of a header", dotted(name), quote(credential.Header))
		case contains([]string{"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade", "via"}, h):
			l.note(l.valueOf(name), name, BadValue, "%s: %s is no credential", dotted(name), quote(credential.Header))
		}
	}
}

// url notes what is no URL of a server.
func (l *loader) url(path, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		l.note(l.valueOf(path), path, BadValue, "%s: want http or https and a host, such as https://api.example", dotted(path))
	case u.User != nil:
		l.hide(l.valueOf(path), l.valueOf(path))
		l.secrets[path] = true
		l.hidden = append(l.hidden, text)
		l.note(l.valueOf(path), path, BadValue, "%s: credentials come from files or the environment, never from a URL", dotted(path))
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		l.note(l.valueOf(path), path, BadValue, "%s: leave the query and the fragment out", dotted(path))
	}
}

func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	number, wrong := strconv.Atoi(port)
	return err == nil && wrong == nil && number >= 0 && number <= 65535
}

// isToken is RFC 9110 §5.6.2.
func isToken(text string) bool {
	return text != "" && strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == ""
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Value returns the secret. The error names where it should be, and never what was there.
func (c Credential) Value(lookup func(string) (string, bool)) (string, error) {
	var text string
	if c.Env != "" {
		found := false
		if text, found = lookup(c.Env); !found {
			return "", fmt.Errorf("the environment variable %s of the header %s is not set", c.Env, c.Header)
		}
	} else {
		data, err := os.ReadFile(c.File)
		if err != nil {
			return "", fmt.Errorf("the header %s: %w", c.Header, err)
		}
		text = string(data)
	}
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "", fmt.Errorf("what %s%s holds for the header %s is empty, or has characters that no header may have", c.Env, c.File, c.Header)
	}
	return text, nil
}

// Stop returns the place in the emergency stop of one of the policies; nil if it has none.
func (s *Set) Stop(policy string) *halt.Gate {
	for _, g := range s.Policies[policy].Current().Gates {
		if stop, ok := g.(*halt.Gate); ok {
			return stop
		}
	}
	return nil
}
